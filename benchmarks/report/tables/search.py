"""Table of beams, logits processors, choices and drafts."""

from collections.abc import Iterator

from benchmarks.report.captions import captioned, ratios
from benchmarks.report.runs import Run, processor


def search_table(run: Run) -> str:
    """Makes the table of a run of the searches.

    Runs made before drafts had ten rounds have no intervals; their rows are then without.
    """
    beams = run["beams"]
    caption = (
        f"BioGPT's size with random weights, float32, on an {processor(beams)}; a prompt of {beams['prompt_tokens']} "
        f"tokens, medians of {beams['rounds']} rounds in turns. {_draft_caption(run['drafts'])}"
    )
    rows = [*_beam_rows(beams, run["long_beams"]), _processors_row(run["controls"]), _choices_row(run["sharing"])]
    sections = [
        run[name] for name in ("beams", "long_beams", "controls", "sharing", "drafts") if "machine" in run[name]
    ]
    return captioned(caption, ["", "measured", "beside"], [*rows, *_draft_rows(run["drafts"]["kinds"])], *sections)


def _beam_rows(beams: Run, long: Run) -> list[tuple[str, str, str]]:
    milliseconds = {name: f"{seconds * 1e3:.0f} ms" for name, seconds in beams["step_seconds"].items()}
    return [
        (
            f"step of {beams['num_beams']} beams",
            milliseconds["beams"],
            ratios(beams, beam_step_to_greedy_step="a greedy step", beam_step_to_transformers="transformers"),
        ),
        (
            f"prefill with {beams['num_beams']} beams",
            f"{beams['prefill_seconds']['beams'] * 1e3:.0f} ms",
            ratios(beams, beam_prefill_to_greedy_prefill="without", beam_prefill_to_transformers="transformers"),
        ),
        (
            f"step of {beams['batch']} prompts with {beams['num_beams']} beams each",
            milliseconds["beams_batch"],
            f"{beams['batch_step_to_transformers']:.2f} x transformers",
        ),
        (
            f"cache, {beams['cache']['new_tokens']} tokens with {beams['num_beams']} beams",
            f"{beams['cache']['most_tokens']} tokens",
            f"{beams['cache']['most_to_that']:.2f} x (prompt + beams x new tokens)",
        ),
        (
            f"cache, mini, {long['new_tokens']} tokens with {long['num_beams']} beams",
            f"{long['most_tokens_in_cache']} tokens",
            "",
        ),
    ]


def _processors_row(processors: Run) -> tuple[str, str, str]:
    return (
        "all logits processors and sampling, one row",
        f"{processors['all_with_choice_milliseconds']:.1f} ms",
        f"{processors['all_to_greedy_step']:.0%} of a greedy step",
    )


def _choices_row(choices: Run) -> tuple[str, str, str]:
    return (
        f"{choices['choices']} choices behind {choices['prompt_tokens']} tokens",
        f"{choices['seconds']['shared_prompt']:.2f} s",
        ratios(choices, shared_to_alone="scoring each alone", prefix_to_alone="that behind a prefix"),
    )


def _draft_caption(drafts: Run) -> str:
    texts = "prescribed texts: BC5CDR's annotated relations, PubMedQA's answers, abstracts, and random tokens"
    if _has_intervals(drafts):
        return (
            f"Drafts, on an {processor(drafts)}, write the first {drafts['longest_target']} tokens of {texts}, "
            f"{_documents(drafts)} documents of each; of each document the median of {drafts['rounds']} runs in random "
            f"order, in brackets the {drafts['confidence']:.0%} interval of the ratio over documents and runs."
        )
    # The first run of all was plain and on cold memory.
    return (
        f"Drafts write {texts}; of each document the median of {drafts['rounds']} runs without warming up, which "
        "favours drafts."
    )


def _draft_rows(kinds: Run) -> Iterator[tuple[str, str, str]]:
    for name, kind in kinds.items():
        interval = kind.get("seconds_to_plain_interval")
        brackets = "" if interval is None else f" ({interval[0]:.2f} to {interval[1]:.2f})"
        yield (
            f"drafts, {name}",
            f"{kind['seconds_to_plain']:.2f} x the time{brackets}",
            f"{kind['passes']} steps for {kind['new_tokens']} tokens",
        )


def _documents(drafts: Run) -> int:
    return min(int(kind["documents"]) for kind in drafts["kinds"].values())


def _has_intervals(drafts: Run) -> bool:
    return all("seconds_to_plain_interval" in kind for kind in drafts["kinds"].values())
