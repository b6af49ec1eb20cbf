"""Separation of statements: where one ends and the next begins among generated tokens."""

from collections.abc import Iterator, Sequence

from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.bpe import END_OF_WORD


class Separation:
    """The semicolon between two statements.

    Its token may also be the last piece of a word: a vocabulary may divide "&amp;", the tokenizer's form of "&", into
    three pieces. Only as a word of its own it separates statements.

    Args:
        tokenizer: The model's tokenizer.

    Attributes:
        token_id: The semicolon's token.
    """

    def __init__(self, tokenizer: BioGptTokenizer) -> None:
        (self.token_id,) = tokenizer.encode(";")[1:]
        self._tokenizer = tokenizer

    def statements(self, token_ids: Sequence[int]) -> Iterator[tuple[list[int], int]]:
        """Yields each statement's tokens, without the separator, and the index behind it; the last may be unfinished.

        Args:
            token_ids: The generated tokens.
        """
        start = 0
        for place, token in enumerate(token_ids):
            if token == self.token_id and (place == 0 or self._ends_word(token_ids[place - 1])):
                yield list(token_ids[start:place]), place + 1
                start = place + 1
        yield list(token_ids[start:]), len(token_ids)

    def _ends_word(self, token: int) -> bool:
        return self._tokenizer.id_to_symbol(token).endswith(END_OF_WORD)
