"""No test here measures time: passes take what a table says, and the budget is told that with noise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.runtime.decoding.drafting.budget import DraftBudget
from biogpt_onnx.runtime.decoding.drafting.lookup import Draft, NgramLookup

MAX_TOKENS = 10


def chance_of(seed: int) -> Random:
    return Random(seed)  # noqa: S311 -- nothing here is a secret


def between(measured: dict[int, float]) -> list[float]:
    """Seconds of a pass over 1, 2, ... rows, from some of them."""
    known = sorted(measured)
    seconds = []
    for rows in range(1, known[-1] + 1):
        below = max(count for count in known if count <= rows)
        above = min(count for count in known if count >= rows)
        share = (rows - below) / max(above - below, 1)
        seconds.append(measured[below] + share * (measured[above] - measured[below]))
    return seconds


FLOAT32 = between({1: 0.051, 2: 0.057, 3: 0.060, 5: 0.065, 6: 0.068, 8: 0.087, 12: 0.103})
INT8 = [0.025 * (1 + 0.2 * drafted) for drafted in range(12)]
STEEP = [0.025 * (1 + 0.3 * drafted) for drafted in range(12)]  # dearer than any that was measured
GPU = [0.005 * (1 + 0.01 * drafted) for drafted in range(12)]
machines = pytest.mark.parametrize("machine", [FLOAT32, INT8, STEEP, GPU], ids=["float32", "int8", "steep", "gpu"])


def chain(length: int, matched: int = 3) -> Draft:
    return Draft(tuple(range(length)), matched)


def accepted_tokens(draft: Draft, following: Sequence[int]) -> int:
    """How many tokens of a draft the text goes along."""
    pairs = enumerate(zip(draft.token_ids, following, strict=False))
    return next((at for at, (ours, theirs) in pairs if ours != theirs), min(len(draft.token_ids), len(following)))


@dataclass
class Account:
    """What a text took, in plain passes.

    Attributes:
        tokens: how many tokens there were after each pass: what the text would have taken without drafts.
        passes: what it had taken by then.
    """

    tokens: list[int]
    passes: list[float]

    @property
    def speed_up(self) -> float:
        return self.tokens[-1] / self.passes[-1]

    def largest_loss(self, first: int, last: int) -> float:
        """The largest share that was lost in any beginning of so many tokens."""
        shares = [
            passes / tokens - 1
            for tokens, passes in zip(self.tokens, self.passes, strict=True)
            if first <= tokens <= last
        ]
        return max(shares)


def generate(
    prompt: Sequence[int],
    text: Sequence[int],
    machine: Sequence[float],
    slowdown: Callable[[int], float] = lambda _token: 1.0,
) -> Account:
    """Goes through a text as a search would for which it is the greedy continuation of the prompt."""
    noise = chance_of(len(text))
    lookup, budget = NgramLookup(prompt, 3), DraftBudget(MAX_TOKENS)
    account = Account([], [])
    done, passes = 0, 0.0
    while done < len(text):
        allowed = min(budget.allowance(lookup.matched()), len(text) - done - 1)
        draft = lookup.propose(allowed) if allowed else None
        accepted = accepted_tokens(draft, text[done:-1]) if draft else 0
        seconds = machine[len(draft.token_ids) if draft else 0]
        interrupted = noise.uniform(0, 2) if noise.random() < 0.02 else 0.0
        factor = max(noise.gauss(1.0, 0.04), 0.5) + interrupted
        budget.record(draft, accepted, seconds * factor * slowdown(done))
        lookup.extend(text[done : done + accepted + 1])
        done, passes = done + accepted + 1, passes + seconds / machine[0]
        account.tokens.append(done)
        account.passes.append(passes)
    return account


def mean_speed_up(runs: Sequence[Account]) -> float:
    return sum(run.tokens[-1] for run in runs) / sum(run.passes[-1] for run in runs)


def new_words(count: int, seed: int) -> list[int]:
    """Tokens that hardly come twice."""
    return chance_of(seed).choices(range(100, 40_000), k=count)


def prose(count: int, seed: int) -> list[int]:
    """Random tokens, the frequent ones as frequent as a language's words are."""
    chance = chance_of(seed)
    return [int(100 / (chance.random() + 1e-3)) for _ in range(count)]


def never_as_before(count: int, seed: int, num_words: int) -> list[int]:
    """N-grams come again and again, but never is the token after them one that came after them before."""
    chance = chance_of(seed)
    followers: dict[tuple[int, ...], set[int]] = {}
    text: list[int] = []
    while len(text) < count:
        suffixes = [tuple(text[len(text) - size :]) for size in range(1, min(3, len(text)) + 1)]
        longest = max((suffix for suffix in suffixes if suffix in followers), key=len, default=())
        choices = sorted(set(range(num_words)) - followers.get(longest, set())) or list(range(num_words))
        # Rather a pair that is known: its next follower will be a new one, and whoever guesses will be wrong.
        known = [token_id for token_id in choices if text and (text[-1], token_id) in followers]
        token_id = chance.choice(known or choices)
        for suffix in suffixes:
            followers.setdefault(suffix, set()).add(token_id)
        text.append(token_id)
    return text


def copying(count: int, seed: int, share: float, longest_span: int = 20) -> tuple[list[int], list[int]]:
    """A prompt, and a text of which this share are spans of 6 and more tokens from it, with new words in between."""
    chance = chance_of(seed)
    prompt, text = prose(400, seed + 1000), list[int]()
    while len(text) < count:
        length = chance.randint(6, longest_span)
        start = chance.randrange(len(prompt) - length)
        text += prompt[start : start + length]
        text += new_words(round(length * (1 - share) / share), chance.randrange(10**6))
    return prompt, text[:count]


def relations(count: int, seed: int) -> tuple[list[int], list[int]]:
    """An abstract, and "the relation between X and Y exists ; the relation between X and Z exists ; ..."."""
    chance = chance_of(seed)
    entities = [new_words(chance.randint(2, 5), chance.randrange(10**6)) for _ in range(10)]
    prompt, text, chemical = list[int](), list[int](), entities[0]
    for _ in range(40):
        prompt += prose(5, chance.randrange(10**6)) + chance.choice(entities)
    while len(text) < count:
        chemical = chance.choice(entities) if chance.random() < 0.2 else chemical
        text += [1, 2, 3, *chemical, 4, *chance.choice(entities), 5, 6]
    return prompt, text[:count]


adversaries = pytest.mark.parametrize(
    "write",
    [
        new_words,
        prose,
        lambda count, seed: never_as_before(count, seed, 30),
        lambda count, seed: never_as_before(count, seed, 100),
    ],
    ids=["new words", "prose", "never as before", "never as before, more words"],
)


@machines
@adversaries
def test_text_without_repetition_loses_next_to_nothing(
    machine: list[float], write: Callable[[int, int], list[int]]
) -> None:
    for seed in range(5):
        run = generate(prose(100, seed + 50), write(600, seed), machine)
        assert run.largest_loss(200, 600) <= 0.03
        # Before, the starting credit is a larger share, and one guess may be dearer than was known before it.
        assert all(
            passes - tokens <= 2.5 + 0.02 * tokens for tokens, passes in zip(run.tokens, run.passes, strict=True)
        )


@pytest.mark.parametrize(
    ("machine", "share", "least"),
    [(FLOAT32, 0.5, 1.5), (FLOAT32, 0.8, 2.1), (INT8, 0.5, 1.3), (INT8, 0.8, 1.7), (GPU, 0.5, 1.6), (GPU, 0.8, 2.7)],
)
def test_text_that_copies_spans_is_faster(machine: list[float], share: float, least: float) -> None:
    assert mean_speed_up([generate(*copying(300, seed, share), machine) for seed in range(8)]) >= least


@pytest.mark.parametrize(("machine", "least"), [(FLOAT32, 2.2), (INT8, 1.7), (GPU, 3.5)])
def test_lists_of_relations_are_faster(machine: list[float], least: float) -> None:
    assert mean_speed_up([generate(*relations(200, seed), machine) for seed in range(8)]) >= least


@pytest.mark.parametrize(("machine", "least"), [(FLOAT32, 4.0), (INT8, 2.8), (GPU, 6.0)])
def test_a_search_caught_in_a_loop_is_much_faster(machine: list[float], least: float) -> None:
    assert generate(new_words(50, 1), new_words(7, 2) * 30, machine).speed_up >= least


def test_text_that_begins_to_copy_late_is_found_out() -> None:
    for seed in range(4):
        prompt, copied = copying(300, seed, 0.8)
        before = never_as_before(300, seed, 30)
        run = generate(prompt, before + copied, FLOAT32)
        passes_before = next(p for t, p in zip(run.tokens, run.passes, strict=True) if t >= len(before))
        assert len(copied) / (run.passes[-1] - passes_before) >= 1.8


@pytest.mark.parametrize("slowdown", [lambda at: 1 + (at >= 100), lambda at: 2 - (at >= 100)], ids=["slower", "faster"])
def test_a_machine_that_becomes_slower_or_faster_is_no_reason_to_stop(slowdown: Callable[[int], float]) -> None:
    runs = [generate(*copying(300, seed, 0.8), FLOAT32, slowdown) for seed in range(4)]
    assert mean_speed_up(runs) >= 2.0
    assert generate(prose(100, 51), prose(400, 1), FLOAT32, slowdown).largest_loss(200, 400) <= 0.03


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, MAX_TOKENS)), max_size=200),
    st.floats(0.01, 1.0),
)
def test_whatever_is_accepted_the_loss_is_bounded(steps: list[tuple[int, int]], row_cost: float) -> None:
    budget = DraftBudget(MAX_TOKENS)
    credit = highest = 0.0
    for matched, right in steps:
        count = budget.allowance(matched)
        assert 0 <= count <= (MAX_TOKENS if matched else 0)
        accepted = min(count, right)
        budget.record(chain(count, matched) if count else None, accepted, 0.05 * (1 + row_cost * count))
        credit += 1.02 * (accepted + 1) - (1 + row_cost * count)
        highest = max(highest, credit)
        # Until it has been measured, a row that costs a whole pass is taken for a tenth.
        unknown = max(row_cost - 0.1, 0) * 2 * MAX_TOKENS
        assert credit >= -1.5 - unknown
        assert highest - credit <= 3 + unknown + 1e-6


def test_the_first_pass_is_plain_for_there_is_nothing_to_compare_with() -> None:
    budget = DraftBudget(MAX_TOKENS)
    assert budget.allowance(3) == 0
    budget.record(None, 0, 0.05)
    assert budget.allowance(3) > 0


def test_without_a_match_nothing_is_drafted() -> None:
    budget = DraftBudget(MAX_TOKENS)
    budget.record(None, 0, 0.05)
    assert budget.allowance(0) == 0


def test_drafts_grow_while_they_are_accepted_and_end_when_they_are_not() -> None:
    budget = DraftBudget(MAX_TOKENS)
    budget.record(None, 0, 0.05)
    lengths = [budget.allowance(3)]
    for _ in range(20):
        budget.record(chain(lengths[-1]), lengths[-1], 0.05 * (1 + 0.08 * lengths[-1]))
        lengths.append(budget.allowance(3))
    assert lengths[0] < lengths[-1] == MAX_TOKENS
    refused = 0
    for _ in range(20):
        length = budget.allowance(3)
        budget.record(chain(length) if length else None, 0, 0.05 * (1 + 0.08 * length))
        refused += length
    assert refused * 0.08 <= 3.5
    assert budget.allowance(3) < lengths[0]


def test_the_longer_the_match_the_longer_the_first_draft() -> None:
    budget = DraftBudget(MAX_TOKENS)
    budget.record(None, 0, 0.05)
    lengths = [budget.allowance(matched) for matched in (1, 2, 3, 4)]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


def test_dear_rows_make_drafts_shorter_and_cheap_ones_longer() -> None:
    lengths = []
    for row_cost in (0.02, 0.1, 0.4):
        budget = DraftBudget(MAX_TOKENS)
        budget.record(None, 0, 0.05)
        for _ in range(10):
            budget.record(chain(4), 2, 0.05 * (1 + 4 * row_cost))
        lengths.append(budget.allowance(3))
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > lengths[1] > lengths[2]


def test_matches_of_one_length_say_nothing_about_those_of_another() -> None:
    budget = DraftBudget(MAX_TOKENS)
    budget.record(None, 0, 0.05)
    for _ in range(20):
        budget.record(chain(1, matched=1), 0, 0.054)
        budget.record(chain(4, matched=3), 4, 0.07)
    assert budget.allowance(1) == 0
    assert budget.allowance(3) > 0


def test_one_interrupted_pass_changes_little() -> None:
    lengths = []
    for slowest in (0.07, 5.0):
        budget = DraftBudget(MAX_TOKENS)
        for seconds in (0.05, slowest - 0.02, 0.05):
            budget.record(None, 0, seconds)
        for seconds in (0.07, slowest, 0.07, 0.07, 0.07):
            budget.record(chain(4), 4, seconds)
        lengths.append(budget.allowance(3))
    assert abs(lengths[0] - lengths[1]) <= 2
    assert min(lengths) >= 4


def test_four_interrupted_passes_of_nine_change_nothing_and_older_ones_are_forgotten() -> None:
    def lengths(*seconds_of_plain_passes: float) -> list[int]:
        budget, found = DraftBudget(MAX_TOKENS), []
        for seconds in seconds_of_plain_passes:
            budget.record(None, 0, seconds)
        for _ in range(6):
            budget.record(chain(4), 2, 0.05 * 1.6)
            found.append(budget.allowance(3))
        return found

    undisturbed = lengths(*[0.05] * 9)
    assert lengths(*[0.05] * 5, *[5.0] * 4) == undisturbed
    assert lengths(*[5.0] * 9, *[0.05] * 9) == undisturbed
    assert lengths(*[0.05] * 4, *[5.0] * 5) != undisturbed


def test_a_clock_that_stands_still_is_no_error() -> None:
    budget = DraftBudget(MAX_TOKENS)
    budget.record(chain(2), 1, 0.0)
    budget.record(None, 0, 0.0)
    budget.record(chain(2), 2, 0.0)
    assert budget.allowance(3) > 0


def test_no_tokens_at_most_means_none() -> None:
    budget = DraftBudget(0)
    budget.record(None, 0, 0.05)
    assert budget.allowance(3) == 0
