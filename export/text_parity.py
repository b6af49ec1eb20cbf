"""Parity of a bundle's tokenizer with transformers': ids of texts, and texts of ids."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from biogpt_onnx.export.parity_report import TextComparison, Verdict
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.vocabulary import SPECIAL_TOKENS

TEXTS = (
    "Aspirin inhibits cyclooxygenase-1 and reduces the risk of stroke in patients with atrial fibrillation.",
    "The patients' data show that insulin lowers glucose (p < 0.05), and that metformin does not; see Fig. 2.",
    "COVID-19 is caused by SARS-CoV-2 [1, 2], and IL-6, TNF-\u03b1 and IL-1β rise in the patient's blood.",
    'We treated 1,000 patients (50% women) "as usual": the drug inhibits the receptor & its ligand.',
    "Dr. Smith et al. report 5-fluorouracil at 1.5 mg/kg vs. placebo in the U.S. and 3.2 ± 0.4 µg/mL ...",
    "β-lactamase-producing E. coli, Parkinson\u2019s disease \u2013 and the 5'-end of the BRCA1 gene.",
)
"""Texts with what tokenizers differ in: abbreviations, numbers, hyphens, quotes, brackets, letters beyond ASCII."""


# Names that some checkpoints give to the rows of a soft prompt, which no text has.
_SOFT_PROMPT = re.compile(r"learned\d+")


class ReferenceTokenizer(Protocol):
    """Tokenizer that a bundle's is compared with."""

    decodes_added_tokens_alike: bool
    """Whether it writes added tokens as the compared one should."""

    @property
    def added_tokens(self) -> Mapping[str, int]:
        """Texts of its added tokens with their ids."""
        ...

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text, with the token that starts every sequence."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of ids, without special tokens."""
        ...


def compare_texts(tokenizer: BioGptTokenizer, reference: ReferenceTokenizer) -> tuple[TextComparison, ...]:
    """Compares ids of texts, and texts of ids, on ordinary text and on text with each added token."""
    added = [*_with_added_tokens(tokenizer, reference)]
    comparisons = [_encoding("encode", tokenizer, reference, TEXTS), _decoding("decode", tokenizer, reference, TEXTS)]
    if added:
        comparisons.append(_encoding("encode, added tokens", tokenizer, reference, added))
    if added and reference.decodes_added_tokens_alike:
        comparisons.append(_decoding("decode, added tokens", tokenizer, reference, added))
    return tuple(comparisons)


def compare_end_tokens(ours: Iterable[int], theirs: Iterable[int]) -> TextComparison:
    """Compares the tokens that end a text."""
    ours, theirs = sorted(ours), sorted(theirs)
    difference = None if ours == theirs else f"{ours} instead of {theirs}"
    return TextComparison("end tokens", _verdict(ours == theirs), 1, int(ours == theirs), difference)


def _with_added_tokens(tokenizer: BioGptTokenizer, reference: ReferenceTokenizer) -> Iterable[str]:
    """Yields texts with each token that either of the two has added, and that the model has a row for."""
    theirs = [
        content
        for content, number in reference.added_tokens.items()
        if number < tokenizer.vocab_size and content not in SPECIAL_TOKENS and not _SOFT_PROMPT.fullmatch(content)
    ]
    for content in dict.fromkeys([*(token.content for token in tokenizer.added_tokens), *theirs]):
        yield f"{TEXTS[0][:8]} {content} {TEXTS[1]}"
        yield f"{TEXTS[0][:8]}{content}{TEXTS[1]} {content}"


def _encoding(
    name: str, tokenizer: BioGptTokenizer, reference: ReferenceTokenizer, texts: Sequence[str]
) -> TextComparison:
    return _compare(name, texts, lambda text: tokenizer.encode(text, special_tokens=True), reference.encode)


def _decoding(
    name: str, tokenizer: BioGptTokenizer, reference: ReferenceTokenizer, texts: Sequence[str]
) -> TextComparison:
    def decoded(decode: Callable[[Sequence[int]], str]) -> Callable[[str], str]:
        return lambda text: decode(reference.encode(text))

    return _compare(name, texts, decoded(tokenizer.decode), decoded(reference.decode))


def _compare(
    name: str, texts: Sequence[str], ours: Callable[[str], object], theirs: Callable[[str], object]
) -> TextComparison:
    different = [text for text in texts if ours(text) != theirs(text)]
    first = f"{different[0]!r}: {ours(different[0])} instead of {theirs(different[0])}" if different else None
    return TextComparison(name, _verdict(not different), len(texts), len(texts) - len(different), first)


def _verdict(equal: bool) -> Verdict:  # noqa: FBT001 -- of this module alone
    return Verdict.PASS if equal else Verdict.FAIL
