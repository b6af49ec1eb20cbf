"""The budget of drafts: the number of tokens to draft for the next pass, so that a draft costs less than it saves.

A pass over drafted tokens takes longer than one over the last token alone; by how much depends on the hardware and the
weights' type. A text that repeats nothing accepts no draft. Both are learned while the text is generated. Measured
times decide only when a draft is made, never which tokens are generated.
"""

from collections import deque
from statistics import median

from biogpt_onnx.runtime.decoding.drafting.lookup import Draft

_LOSS_RATE = 0.02
"""Share of the time that the text would have taken without drafts, which may be lost to them in the end."""

_STARTING_CREDIT = 0.5
"""Plain passes that may be lost in addition, so that a short text that copies from its first words need not wait."""

_LARGEST_CREDIT = 3.0
"""Most plain passes that may be lost from any point on, however much was saved before it: where a text stops copying,
the accepted drafts of its beginning still speak for more drafts."""

_ACCEPTED_FIRST = (0.35, 0.45, 0.55)
"""Probability that the first drafted token is accepted after a match of 1, 2, and 3 or more tokens, before any has been
verified: between that of questions' answers and abstracts (0.3, 0.45, 0.55) and lists of relations (0.5, 0.7, 0.7)."""

_ACCEPTED_NEXT = 0.6
"""Probability that a further token is accepted if the one before it was; 0.5 in abstracts, 0.75 in relations."""

_ROW_COST = 0.1
"""Plain passes that each drafted token costs: 0.06 to 0.12 with float32 on CPUs, 0.2 with int8, less on a GPU."""

_FIRST_WEIGHT, _NEXT_WEIGHT, _COST_WEIGHT = 3, 5, 4
"""Numbers of observations that the assumptions on first tokens, further tokens and costs weigh as much as."""

_FADING = 0.98
"""Weight that evidence keeps from one pass to the next. Evidence is forgotten in some 50 passes, so that a text that
begins to copy late is noticed."""

_PLAIN_PASSES = 9
"""Number of the last plain passes whose median is taken, because a pass that the system interrupted says nothing."""

_LARGEST_SURPRISE = 3
"""Largest cost of a draft that counts, as a multiple of the expected one: the system may have interrupted its pass."""


class _Ratio:
    """A ratio learned from an assumption and from evidence, of which older evidence counts less."""

    def __init__(self, assumed: float, weight: float) -> None:
        self._assumed = assumed
        self._weight = weight
        self._part = 0.0
        self._whole = 0.0

    @property
    def value(self) -> float:
        return (self._part + self._assumed * self._weight) / (self._whole + self._weight)

    def add(self, part: float, whole: float) -> None:
        self._part += part
        self._whole += whole

    def fade(self) -> None:
        self._part *= _FADING
        self._whole *= _FADING


class DraftBudget:
    """The budget of one text's drafts, which decides their length; its unit is a plain pass, which reads one token.

    A pass over n drafted tokens costs n times a row's extra time, and saves one pass for each accepted token: the first
    with a probability that depends on the match, all further ones with another. The length with the largest expected
    gain is taken. In addition, an account of the passes that drafts have cost and saved limits the loss: a text for
    which these estimates are wrong loses about 2 % and half a pass at most, any part of a text 2 % and three passes.

    Args:
        max_tokens: most tokens in a draft.
    """

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._plain_seconds: deque[float] = deque(maxlen=_PLAIN_PASSES)
        self._accepted_first = [_Ratio(assumed, _FIRST_WEIGHT) for assumed in _ACCEPTED_FIRST]
        self._accepted_next = _Ratio(_ACCEPTED_NEXT, _NEXT_WEIGHT)
        self._row_cost = _Ratio(_ROW_COST, _COST_WEIGHT)
        self._credit = _STARTING_CREDIT

    def allowance(self, matched: int) -> int:
        """Returns the number of tokens to draft for the next pass; 0 if a plain pass is better.

        Args:
            matched: number of tokens of the match, see `NgramLookup.matched`.
        """
        # The first pass is always a plain one, with which the passes of drafts are compared.
        if matched < 1 or not self._plain_seconds:
            return 0
        row_cost, further = self._row_cost.value, self._accepted_next.value
        probability = self._first(matched).value
        length, gain, best_gain = 0, 0.0, 0.0
        for count in range(1, self._max_tokens + 1):
            if count * row_cost > self._credit:
                break
            gain += probability - row_cost
            probability *= further
            if gain > best_gain:
                length, best_gain = count, gain
        return length

    def record(self, draft: Draft | None, accepted: int, seconds: float) -> None:
        """Learns from a pass.

        Args:
            draft: the draft that was verified; None for a plain pass.
            accepted: number of drafted tokens that were accepted.
            seconds: time of the pass.
        """
        for ratio in (*self._accepted_first, self._accepted_next, self._row_cost):
            ratio.fade()
        if draft is None:
            self._plain_seconds.append(seconds)
            self._book(1, 1.0)
            return
        cost = self._cost(len(draft.token_ids), seconds)
        self._book(accepted + 1, 1 + cost)
        self._row_cost.add(cost, len(draft.token_ids))
        self._first(draft.matched).add(accepted > 0, 1)
        if accepted:
            refused = accepted < len(draft.token_ids)
            self._accepted_next.add(accepted - 1, accepted - 1 + refused)

    def _book(self, tokens: int, passes: float) -> None:
        """Adds to the account the passes that a number of tokens took; without drafts each would have taken one."""
        self._credit = min(self._credit + (1 + _LOSS_RATE) * tokens - passes, _LARGEST_CREDIT)

    def _first(self, matched: int) -> _Ratio:
        return self._accepted_first[min(matched, len(self._accepted_first)) - 1]

    def _cost(self, num_rows: int, seconds: float) -> float:
        """Returns the plain passes that a pass took beyond one, limited by `_LARGEST_SURPRISE`."""
        expected = num_rows * self._row_cost.value
        plain = median(self._plain_seconds) if self._plain_seconds else 0.0
        if plain <= 0:
            return expected
        return min(max(seconds / plain - 1, 0.0), _LARGEST_SURPRISE * expected)
