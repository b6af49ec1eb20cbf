"""Scenarios that are measured, by their names, and suites of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from biogpt_onnx.runtime.errors import ConfigError

Kind = Literal["generation", "cold start"]

NUM_BEAMS = 5
_LONG = 900

WORKLOADS = {
    "BC5CDR": (242, 16),
    "KD-DTI": (360, 28),
    "DDI": (159, 37),
    "HoC": (29, 8),
    "PubMedQA": (280, 11),
}
"""Prompt tokens and new tokens of the median document of BioGPT's tasks, in the form of the fine-tuned models."""


@dataclass(frozen=True)
class Scenario:
    """One cell of the grid.

    Attributes:
        name: its name in reports and for `--scenario`.
        kind: "generation" in a loaded model, or "cold start": from the start of a process to its first token.
        batch_size: prompts read and continued together, all of equal length.
        prompt_tokens: tokens of each prompt.
        new_tokens: tokens generated for each prompt, neither more nor fewer.
        num_beams: beams; 1 is greedy search.
        single_thread: whether it runs on one core, instead of on all that the process may use.
        for_all: whether every contender of a large comparison is measured in it; if not, only those with
            `Contender.in_all_scenarios`.
        workload: the task whose token counts these are; None for a cell of the grid.
    """

    name: str
    kind: Kind = "generation"
    batch_size: int = 1
    prompt_tokens: int = 128
    new_tokens: int = 32
    num_beams: int = 1
    single_thread: bool = False
    for_all: bool = False
    workload: str | None = None

    @property
    def total_tokens(self) -> int:
        """Positions that a sequence takes, prompt and new tokens together."""
        return self.prompt_tokens + self.new_tokens

    def describe(self) -> str:
        """Describes the scenario in words."""
        if self.kind == "cold start":
            return f"a fresh process to its first token behind {self.prompt_tokens}"
        search = "greedy" if self.num_beams == 1 else f"{self.num_beams} beams"
        prompts = f"{self.batch_size} prompts" if self.batch_size > 1 else "a prompt"
        cores = ", one thread" if self.single_thread else ""
        return f"{prompts} of {self.prompt_tokens} tokens, {self.new_tokens} new, {search}{cores}"


def generation_name(
    prompt_tokens: int, new_tokens: int, batch_size: int = 1, num_beams: int = 1, *, single_thread: bool = False
) -> str:
    """Returns the name of a cell of the grid, such as "p128-n32", "p128-n32-b4" or "p16-n128-k5-t1"."""
    parts = [f"p{prompt_tokens}", f"n{new_tokens}"]
    parts += [f"b{batch_size}"] if batch_size > 1 else []
    parts += [f"k{num_beams}"] if num_beams > 1 else []
    return "-".join([*parts, "t1"] if single_thread else parts)


def _grid() -> Iterator[Scenario]:
    for single_thread in (False, True):
        for num_beams in (1, NUM_BEAMS):
            for batch_size in (1, 4, 8):
                for prompt_tokens in (16, 128, 512):
                    for new_tokens in (32, 128):
                        yield Scenario(
                            generation_name(
                                prompt_tokens, new_tokens, batch_size, num_beams, single_thread=single_thread
                            ),
                            batch_size=batch_size,
                            prompt_tokens=prompt_tokens,
                            new_tokens=new_tokens,
                            num_beams=num_beams,
                            single_thread=single_thread,
                        )


def _long_contexts() -> Iterator[Scenario]:
    """Yields prompts that nearly fill the model's positions, which the grid's prompts do not."""
    for batch_size in (1, 4, 8):
        name = generation_name(_LONG, 32, batch_size)
        yield Scenario(name, batch_size=batch_size, prompt_tokens=_LONG, new_tokens=32)


def _workloads() -> Iterator[Scenario]:
    for name, (prompt_tokens, new_tokens) in WORKLOADS.items():
        yield Scenario(name, prompt_tokens=prompt_tokens, new_tokens=new_tokens, workload=name)


HEADLINE = "p128-n32"
HEADLINE_BEAMS = "p128-n32-k5"
COLD_START = "cold-start"

# Scenarios in which every contender of a comparison is measured; the others would take long and tell little more.
_FOR_ALL = {HEADLINE, HEADLINE_BEAMS}

_ALL = {
    scenario.name: replace(scenario, for_all=scenario.name in _FOR_ALL)
    for scenario in (
        *_grid(),
        *_long_contexts(),
        *_workloads(),
        Scenario(COLD_START, "cold start", prompt_tokens=16, new_tokens=1),
    )
}

_STANDARD = (
    HEADLINE,
    HEADLINE_BEAMS,
    *WORKLOADS,
    "p16-n32",
    "p512-n32",
    "p128-n32-b4",
    "p128-n32-b8",
    "p900-n32",
    "p512-n32-b8",
    "p128-n32-b4-k5",
    "p128-n32-t1",
    COLD_START,
)

SUITES: dict[str, tuple[str, ...]] = {
    "quick": (HEADLINE, HEADLINE_BEAMS, COLD_START),
    "standard": _STANDARD,
    "full": tuple(_ALL),
}
"""Names of the scenarios of each suite: for a first look, for a report, and the whole grid."""

DEFAULT_SUITE = "standard"


def select(names: Sequence[str]) -> list[Scenario]:
    """Returns the scenarios of the given names, each once and in their order.

    Args:
        names: names of scenarios and of suites; none for the default suite.

    Raises:
        ConfigError: a name is neither a scenario's nor a suite's.
    """
    chosen: dict[str, Scenario] = {}
    for name in names or (DEFAULT_SUITE,):
        if name not in SUITES and name not in _ALL:
            raise ConfigError(
                f"scenario is {name!r}: choose a suite ({', '.join(SUITES)}) or a scenario that "
                "`biogpt-onnx bench --list` names"
            )
        chosen |= {each: _ALL[each] for each in SUITES.get(name, (name,))}
    return list(chosen.values())


def catalogue() -> str:
    """Lists every scenario with its description and its suites, a line each."""
    lines = []
    for name, scenario in _ALL.items():
        suites = ", ".join(suite for suite, members in SUITES.items() if name in members)
        lines.append(f"{name:18}{scenario.describe():62}{suites}")
    return "\n".join(lines)
