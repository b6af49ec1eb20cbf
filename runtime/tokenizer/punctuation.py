"""Replacements of typographic characters, frequent in pasted text, by the ASCII that BioGPT learned."""

from collections.abc import Container

from biogpt_onnx.runtime.tokenizer.bpe import END_OF_WORD

# Leftovers of typesetting. Some of them are symbols of the vocabularies, but a word is not recognised with one inside:
# "COVID-19" is four symbols that BioGPT knows well, unlike the word with a no-break hyphen.
_ALWAYS = {
    "\u00ad": "",  # soft hyphen
    "\u200b": "",  # zero width space
    "\u200c": "",  # zero width non-joiner
    "\u200d": "",  # zero width joiner
    "\u2060": "",  # word joiner
    "\ufeff": "",  # byte order mark
    "\u2010": "-",  # hyphen
    "\u2011": "-",  # no-break hyphen
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
}
# The vocabulary of BioGPT lacks all of these, that of BioGPT-Large hardly any: there they are better left alone.
# Neither lacks the minus sign, primes, or signs such as ≥ and µ. White space of all kinds is read as a space anyway.
_IF_UNKNOWN = {
    "\u2013": "-",  # en dash: 5-10, as a hyphen between words
    "\u2014": " - ",  # em dash: separates sentences, so it must not join two words as a hyphen does
    "\u2018": "'",
    "\u2019": "'",
    "\u201a": "'",
    "\u201b": "'",
    "\u00b4": "'",
    "\u0060": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u201e": '"',
    "\u201f": '"',
    "\u00ab": '"',
    "\u00bb": '"',
    "\u2026": "...",
}


def punctuation_table(symbols: Container[str]) -> dict[int, str]:
    """Returns the replacements for a vocabulary, as a table for `str.translate`.

    Args:
        symbols: symbols of the vocabulary; a character that is a word of its own there is left alone, unless it only
            shows how a text was typeset.
    """
    unknown = {character: ascii_ for character, ascii_ in _IF_UNKNOWN.items() if character + END_OF_WORD not in symbols}
    return str.maketrans(_ALWAYS | unknown)
