"""Questions made of titles that state a finding: more of PubMedQA's kind, with less certain answers.

As PubMedQA's artificial part is made (Jin et al. 2019, arXiv:1909.06146): the title becomes a question, and
the answer is no where the title denies, else yes. The last sentences of the abstract are its conclusion.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from data import Question

if TYPE_CHECKING:
    from texts import Article

_AUXILIARIES = ("is", "are", "was", "were", "does", "do", "did", "has", "have", "can", "may")
_VERBS = {
    "reduces": "reduce", "increases": "increase", "improves": "improve", "induces": "induce",
    "inhibits": "inhibit", "causes": "cause", "attenuates": "attenuate", "prevents": "prevent",
    "decreases": "decrease", "enhances": "enhance", "predicts": "predict", "modulates": "modulate",
    "protects": "protect", "suppresses": "suppress", "activates": "activate", "mediates": "mediate",
    "blocks": "block", "alters": "alter", "affects": "affect", "regulates": "regulate",
    "stimulates": "stimulate", "promotes": "promote", "impairs": "impair", "requires": "require",
}  # fmt: skip
_VERB = re.compile(rf" ({'|'.join((*_AUXILIARIES, *_VERBS))}) ")
_DENIAL = re.compile(r"\A(?:not|no) ")
_SENTENCE = re.compile(r"(?<=[.!?]) +(?=[A-Z])")
_MAX_CONCLUSION = 400  # characters
_LONGEST_SUBJECT = 12  # words; behind more, the verb is hardly the title's own


def question(article: Article) -> Question | None:
    """Return the question that a title answers; None for a title that states nothing."""
    title = article.title.rstrip(".").strip()
    verb = _VERB.search(title)
    if verb is None or title.endswith("?") or len(title[: verb.start()].split()) > _LONGEST_SUBJECT:
        return None
    rest = title[verb.end() :]
    denied = _DENIAL.search(rest)
    rest = rest[denied.end() :] if denied else rest
    word = verb.group(1)
    leads, base = (word, "") if word in _AUXILIARIES else ("does", f"{_VERBS[word]} ")
    context, conclusion = _part(article.text)
    if not context:
        return None
    asked = f"{leads} {title[: verb.start()]} {base}{rest}?"
    return Question(asked[0].upper() + asked[1:], context, conclusion, "no" if denied else "yes")


def _part(text: str) -> tuple[str, str]:
    """Part a text before its last sentences, which hold the conclusion."""
    sentences = _SENTENCE.split(text)
    conclusion = sentences.pop()
    while sentences and len(conclusion) + len(sentences[-1]) < _MAX_CONCLUSION:
        conclusion = f"{sentences.pop()} {conclusion}"
    return " ".join(sentences), conclusion
