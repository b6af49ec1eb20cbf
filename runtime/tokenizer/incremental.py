"""Incremental decoding of ids into text, for streaming."""

import copy
from collections.abc import Iterable, Sequence
from typing import Protocol, Self

from biogpt_onnx.runtime.tokenizer.detokenizer import Detokenizer


class ReadableIds(Protocol):
    """The methods of a tokenizer that the decoder needs."""

    def text_of(self, ids: Iterable[int]) -> str:
        """Returns the text of ids' symbols before detokenization, without special tokens."""
        ...

    def prompt_text_of(self, ids: Iterable[int]) -> str:
        """Returns the text of a prompt's symbols before detokenization, with `<unk>` as a word."""
        ...


class IncrementalDecoder:
    """A decoder that turns ids into text one by one; text that has been returned is final.

    The pieces of `push` and `finish` together are the part of the decoded prompt and ids that follows the decoded
    prompt. If the ids change the end of the decoded prompt, which is rare, they are the part that follows the common
    beginning. A step costs no more for a long text than for a short one.

    Args:
        tokenizer: returns the text of ids' symbols.
        prompt_ids: ids of the prompt, which decides if the text begins with a space and if a quote opens or closes.
            Without words in the prompt the pieces are `tokenizer.decode(ids)`.

    Attributes:
        prompt_text: text of the decoded prompt.

    Raises:
        PromptError: an id is outside the vocabulary.
    """

    def __init__(self, tokenizer: ReadableIds, prompt_ids: Sequence[int] = ()) -> None:
        self._tokenizer = tokenizer
        self._detokenizer = Detokenizer()
        certain = self._detokenizer.push(tokenizer.prompt_text_of(prompt_ids))
        # The end of the decoded prompt, which the detokenizer holds back because more ids may change it.
        self._end_of_prompt = copy.deepcopy(self._detokenizer).finish()
        self.prompt_text = certain + self._end_of_prompt

    def push(self, token_id: int) -> str:
        """Adds the next id; returns the text that has become certain by it, often none."""
        return self._beyond_prompt(self._detokenizer.push(self._tokenizer.text_of((token_id,))))

    def finish(self) -> str:
        """Ends the text; returns the rest of it. Nothing may be pushed afterwards."""
        return self._beyond_prompt(self._detokenizer.finish())

    def peek(self) -> str:
        """Returns the text that `finish` would return now; changes nothing."""
        text = copy.deepcopy(self._detokenizer).finish()
        return text[_shared_length(self._end_of_prompt, text) :]

    def branch(self) -> Self:
        """Returns an independent copy, which has read the same ids."""
        other = copy.copy(self)
        other._detokenizer = copy.deepcopy(self._detokenizer)  # noqa: SLF001 -- of this class
        return other

    def _beyond_prompt(self, text: str) -> str:
        shared = _shared_length(self._end_of_prompt, text)
        # Once the texts differ, nothing that follows can belong to the prompt.
        self._end_of_prompt = self._end_of_prompt[shared:] if shared == len(text) else ""
        return text[shared:]


def _shared_length(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((position for position, (left, right) in pairs if left != right), min(len(one), len(other)))
