"""Tables of the float32 runtime, of starting, and of processes that share their weights."""

from benchmarks.report.captions import captioned
from benchmarks.report.runs import Run, processor

_KINDS = {"prepacked": "prepacked", "mapped": "not prepacked", "transformers": "transformers"}
_START_UP_PARTS = {
    "interpreter": "Python",
    "numpy": "numpy",
    "package": "our modules",
    "onnxruntime": "ONNX Runtime",
    "manifest": "manifest",
    "session": "session",
    "joined": "rest of loading",
    "first pass": "first pass",
}
"""Parts of a start-up in their order, and their columns' names."""

_PRESETS = {"preset:biogpt": "BioGPT", "preset:biogpt-large": "BioGPT-Large"}


def float32_table(run: Run) -> str:
    """Makes the table of the float32 runtime's step, prefill, export, cold start and tokenizer."""
    decoding, machine = run["decoding"], run["machine"]
    steps = decoding["rounds"] * decoding["steps_per_round"]
    bandwidth = f"{decoding['read_bandwidth_median'] / 1e9:.1f} GB/s"
    best = f"{decoding['read_bandwidth_best'] / 1e9:.1f}"
    versions = f"ONNX Runtime {machine['versions']['onnxruntime']}, transformers {machine['versions']['transformers']}"
    caption = (
        f"BioGPT's size with random weights, float32, {decoding['threads']} threads of an {processor(run)}, {versions} "
        f"(eager); medians of {decoding['rounds']} prefills and {steps} steps, in turns. The floor is the time to read "
        f"{decoding['step_bytes'] / 1e9:.2f} GB of weights at {bandwidth}, the median read bandwidth of the same "
        f"run (the best was {best})."
    )
    return captioned(caption, ["", "measured", "beside"], [*_decoding_rows(decoding), *_other_rows(run)], run)


def _decoding_rows(decoding: Run) -> list[tuple[str, str, str]]:
    steps, prefills = [], []
    for kind, name in _KINDS.items():
        values = decoding["medians"][kind]
        is_theirs = kind == "transformers"
        step_beside = "" if is_theirs else f", {values['step_to_transformers']:.2f} x transformers"
        steps.append(
            (
                f"greedy step, {name}",
                f"{values['step_seconds'] * 1e3:.1f} ms",
                f"{values['step_to_floor']:.2f} x the floor{step_beside}",
            )
        )
        prefills.append(
            (
                f"prefill of {decoding['prompt_tokens']} tokens, {name}",
                f"{values['prefill_seconds'] * 1e3:.0f} ms",
                "" if is_theirs else f"{values['prefill_to_transformers']:.2f} x transformers",
            )
        )
    return [*steps, *prefills]


def _other_rows(run: Run) -> list[tuple[str, str, str]]:
    cold = run["cold_start"]
    rows = [("bundle on disk", f"{run['decoding']['bundle_bytes'] / 1e9:.2f} GB", "")]
    for preset, values in run["export"].items():
        memory = f"{values['peak_anonymous_bytes'] / 1e9:.2f} GB"
        bundle = f"bundle {values['bundle_bytes'] / 1e9:.2f} GB"
        rows.append((f"export of {_PRESETS[preset]}, peak memory", memory, bundle))
    beside = f"{cold['generate_to_import']:.1f} x `import onnxruntime`"
    rows.append(("mini, cold process to the 16th token", f"{cold['generate_seconds']:.2f} s", beside))
    if run["tokenizer"]["measured"]:
        rows.append(("tokenizer, warm, one thread", f"{run['tokenizer']['warm_mb_per_second']:.1f} MB/s", ""))
    return rows


def start_up_table(run: Run) -> str:
    """Makes the table of a fresh process's way to its first token, in parts, and of its memory."""
    header = ["bundle", "first token", *_START_UP_PARTS.values(), "tokenizer, beside the session", "memory"]
    rows = []
    for name, values in run["bundles"].items():
        memory = values["memory"]["after 128 and 32 tokens"]
        sizes = (memory["resident_bytes"], memory["anonymous_bytes"], values["bundle_bytes"])
        rows.append(
            [
                name,
                f"{values['total_seconds'] * 1e3:.0f} ms",
                *[f"{values['parts'][part] * 1e3:.0f} ms" for part in _START_UP_PARTS],
                f"{values['beside']['tokenizer'] * 1e3:.0f} ms",
                "{:.0f} MB, {:.0f} MB anonymous; bundle {:.0f} MB".format(*(size / 1e6 for size in sizes)),
            ]
        )
    imports = run["imports"]
    caption = (
        f"From the start of a process to the first token behind a prompt of {run['prompt_tokens']}, with the page "
        f"cache warm and Python's modules compiled; BioGPT's size with random weights, {run['threads']} threads of an "
        f"{processor(run)}, medians of {run['rounds']} starts in turns. Memory is that after a prompt of 128 tokens "
        f"and 32 new ones. `import biogpt_onnx` takes {imports['package_beyond_numpy_to_numpy']:.2f} x what "
        "`import numpy` takes, beyond it."
    )
    return captioned(caption, header, rows, run)


def concurrency_table(run: Run) -> str:
    """Makes the tables of many callers of one model, and of a text that is written while a prompt is read."""
    slowest = run["ways"]["one after the other"]["tokens_per_second"]
    rows = [
        [name, f"{way['tokens_per_second']:.0f}", f"{way['tokens_per_second'] / slowest:.2f} x"]
        for name, way in run["ways"].items()
    ]
    caption = (
        f"{run['clients']} callers at once, each with a prompt of {run['prompt_tokens']} tokens and {run['new_tokens']}"
        f" new ones: BioGPT's size with random weights, {run['recipe']}, {run['threads']} threads of an "
        f"{processor(run)}, medians of {run['rounds']} rounds in turns. The tokens were the same in all four ways."
    )
    reading = [
        [
            name,
            f"{found['step_seconds'] * 1e3:.0f} ms",
            f"{found['while_reading_seconds'] * 1e3:.0f} ms, {found['while_reading_to_step']:.2f} x",
            f"{found['longest_to_step']:.2f} x",
        ]
        for name, found in run["reading"].items()
    ]
    beside = (
        f"Times between the tokens of one caller's text, alone and while another's prompt of "
        f"{run['long_prompt_tokens']} tokens is read; the longest is of all rounds."
    )
    header = ["", "alone", "while a prompt is read", "the longest"]
    first = captioned(caption, ["", "tokens/s", "beside one after the other"], rows, run)
    return f"{first}\n\n{captioned(beside, header, reading, run)}"


def huge_pages_table(run: Run) -> str:
    """Makes the table of passes over weights in huge pages beside passes over small ones."""
    recipes = run["recipes"]
    names = list(next(iter(recipes.values()))["passes"])
    rows = []
    for recipe, found in recipes.items():
        seconds = {name: found["passes"][name]["seconds"] for name in names}
        cells = [f"{each['small'] * 1e3:.0f} ms, {each['huge'] * 1e3:.0f} ms" for each in seconds.values()]
        cells = [f"{cell}: {found['passes'][name]['ratio']:.2f} x" for cell, name in zip(cells, names, strict=True)]
        rows.append([recipe, *cells, f"{found['loading']['huge']['move_seconds']:.1f} s"])
    caption = (
        f"A pass over small pages, over huge ones, and its time beside: BioGPT's size with random weights, "
        f"{run['threads']} threads of an {processor(run)}, medians of {run['rounds']} rounds of two processes in "
        "turns. The last column is the time of the move, beside which the model may be used. The system's setting was "
        f"`{run['enabled']}`."
    )
    return captioned(caption, ["recipe", *names, "move"], rows, run)


def browser_table(run: Run) -> str:
    """Makes the table of a token in a browser beside the same bundle in Python."""
    rows = []
    for recipe, found in run["bundles"].items():
        for threads, ratio in found["browser_to_python"].items():
            python, browser = (found["seconds_per_token"][f"{where}, {threads}"] for where in ("python", "browser"))
            ready = found["ready_seconds"][f"browser, {threads}"]
            rows.append(
                [
                    recipe,
                    threads,
                    f"{python * 1e3:.1f} ms",
                    f"{browser * 1e3:.1f} ms",
                    f"{ratio:.2f} x",
                    f"{found['bundle_bytes'] / 1e6:.0f} MB, {ready:.1f} s",
                ]
            )
    caption = (
        f"A token behind the first of {run['tokens']}: BioGPT's size with random weights, an {processor(run)}, "
        f"Chromium with onnxruntime-web {run['onnxruntime_web']}, medians of {run['rounds']} texts of each in turns. "
        "Several threads are what a browser gives to a page that its server isolates. The last column is the size of "
        "the bundle, and the time from opening the page, on the same machine, until it can write."
    )
    return captioned(
        caption, ["recipe", "threads", "Python", "browser", "beside", "until the page is ready"], rows, run
    )


def shared_weights_table(run: Run) -> str:
    """Makes the table of two processes of one bundle, with and without shared weights."""
    header = ["recipe", "load", "load, shared", "a process", "a second one", "a second one, shared", "cache on disk"]
    rows = []
    for name, values in run["recipes"].items():
        own, shared = values["own"], values["shared"]
        first, second = own["computed"]["first_resident_bytes"], own["computed"]["second_private_bytes"]
        third, share = shared["computed"]["second_private_bytes"], shared["computed"]["second_private_to_first"]
        rows.append(
            [
                name,
                f"{own['load_seconds']:.2f} s",
                f"{shared['load_seconds']:.2f} s",
                f"{first / 1e6:.0f} MB",
                f"{second / 1e6:.0f} MB",
                f"{third / 1e6:.0f} MB, {share:.0%} of the first",
                f"{values['cache_bytes'] / 1e9:.2f} GB",
            ]
        )
    caption = (
        f"Two processes of one bundle, each with weights of its own and with `share_weights=True`, after a prompt of "
        f"{run['prompt_tokens']} tokens and {run['steps']} steps; medians of {run['rounds']} rounds. Loading includes "
        "`import onnxruntime`. A second process's memory is what no other process shares."
    )
    return captioned(caption, header, rows, run)
