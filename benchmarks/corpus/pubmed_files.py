"""Files in the form of PubMed's baseline and updates, with made-up articles and all the traps of the real ones.

Inline markup, structured abstracts, abstracts in other languages, versions of PMIDs, PMIDs that come again, deletions,
titles in brackets, articles without an abstract or without any text, a document type that is somewhere else, and
checksums beside the files. What a reader must make of them is returned beside them.
"""

import gzip
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

ARTICLES = 30_000
"""Number of articles in a file of PubMed's baseline."""

_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" '
    '"https://dtd.invalid/pubmed_250101.dtd">\n<PubmedArticleSet>\n'
)
_END = "</PubmedArticleSet>\n"
_LABELS = ("BACKGROUND", "METHODS", "RESULTS", "CONCLUSIONS", "UNLABELLED")
_DRUGS = ("lithium", "cisplatin", "haloperidol", "naloxone", "warfarin", "insulin", "β-blockers", "amiodarone")
_EFFECTS = ("tremor", "renal failure", "seizures", "hypotension", "bleeding", "nausea", "ataxia", "QT prolongation")
# With these, an abstract has about as many characters as one of PubMed.
_SENTENCES = 24
_FILLERS = (
    "Patients were randomized to two groups, and followed for {number} weeks",
    "The difference was significant (P < 0.0{number})",
    "Serum levels were measured by liquid chromatography in {number} samples",
    "No deaths were observed among {number} rats that received the higher dose",
)


@dataclass
class Expected:
    """What a reader must make of the files.

    Attributes:
        texts: The title and the text of each document that counts, by its id, in order of the last versions.
        errors: Number of articles without any text that count.
        superseded: Number of versions that a newer one replaces.
        deleted: Number of documents that are deleted and do not come again.
    """

    texts: dict[str, tuple[str, str]] = field(default_factory=dict)
    errors: int = 0
    superseded: int = 0
    deleted: int = 0

    @property
    def documents(self) -> int:
        """Number of documents that count, errors included."""
        return len(self.texts)


@dataclass(frozen=True)
class Article:
    """An article.

    Attributes:
        pmid: Its id.
        version: The version of the id.
        title: The title, as a reader gives it; empty for none.
        parts: The parts of the abstract as they are written, each behind its label or an empty one.
        text: The abstract as a reader gives it; empty for none.
        title_markup: The title as it is written.
    """

    pmid: int
    version: int
    title: str
    parts: tuple[tuple[str, str], ...]
    text: str
    title_markup: str


def write_pubmed(folder: Path, files: int, articles: int = ARTICLES, seed: int = 0) -> Expected:
    """Writes files in the form of PubMed's, of which the last is an update, with their checksums.

    Args:
        folder: An existing folder.
        files: Number of files, 2 or more.
        articles: Number of articles in each.
        seed: Number that determines all texts.

    Returns:
        What a reader must make of them.
    """
    chance = random.Random(seed)  # noqa: S311 -- made-up texts, no secrets
    expected = Expected()
    latest: dict[str, int] = {}
    for number in range(files):
        is_update = number == files - 1
        first = 1 + number * articles
        path = folder / f"pubmed25n{number + 1:04}.xml.gz"
        deleted: list[str] = []
        with gzip.GzipFile(path, "wb", compresslevel=6, mtime=0) as stream:
            stream.write(_HEAD.encode())
            for place in range(articles):
                # An update has new versions of what came before, under the same number or under a higher one.
                pmid = 1 + 7 * place % first if is_update and place % 3 == 0 else first + place
                version = latest.get(str(pmid), 1) + (place % 2 if str(pmid) in latest else 0)
                article = _article(chance, pmid, version)
                stream.write("".join(_written(article, chance)).encode())
                _note(article, latest, expected)
            if is_update:
                # Of two versions, a deletion takes the one away that it names.
                some = (str(1 + 11 * place) for place in range(articles // 50))
                deleted = [pmid for pmid in some if latest.get(pmid) == 1]
                stream.write(_deletion(deleted, latest).encode())
            stream.write(_END.encode())
        _delete(deleted, latest, expected)
        digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        path.with_name(f"{path.name}.md5").write_text(f"MD5({path.name})= {digest}\n", encoding="ascii")
    return expected


def _article(chance: random.Random, pmid: int, version: int) -> Article:
    kind = pmid % 20
    drug, effect = chance.choice(_DRUGS), chance.choice(_EFFECTS)
    title = f"{drug.capitalize()} and {effect} in {pmid} patients."
    markup = f"<i>{escape(drug.capitalize())}</i> and {effect}\n  in <b>{pmid}</b> patients."
    if kind == 1:
        markup = f"[{markup[:-1]}]."
    if kind == 2:  # noqa: PLR2004 -- one in twenty has no text at all
        return Article(pmid, version, "", (), "", "")
    if kind in {3, 4, 5, 6}:
        return Article(pmid, version, title, (), "", markup)
    labels = _LABELS[:4] if kind % 2 else ("",)
    if kind == 7:  # noqa: PLR2004 -- the label that PubMed gives to a part without one
        labels = _LABELS[4:]
    parts, texts = [], []
    for label in labels:
        sentence = f"{drug} caused {effect} at 5 μg/m{{}}, with CO{{}} of {chance.randrange(10, 99)}."
        plain = " ".join((sentence.format("2", "2"), *_sentences(chance, _SENTENCES // len(labels))))
        written = escape(plain).replace("μg/m2", "μg/m<sup>2</sup>").replace("CO2", "CO<sub>2</sub>")
        parts.append((label, written.replace(". ", ".\n      ", 1)))
        texts.append(plain if label in {"", "UNLABELLED"} else f"{label}: {plain}")
    return Article(pmid, version, title, tuple(parts), " ".join(texts), markup)


def _sentences(chance: random.Random, number: int) -> Iterator[str]:
    for _ in range(number):
        yield chance.choice(_FILLERS).format(number=chance.randrange(10, 99)) + "."


def _written(article: Article, chance: random.Random) -> Iterator[str]:
    yield (
        f'<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"><PMID Version="{article.version}">{article.pmid}'
        "</PMID><DateRevised><Year>2025</Year></DateRevised><Article><Journal><Title>J Made Up</Title></Journal>"
        f"<ArticleTitle>{article.title_markup}</ArticleTitle>"
    )
    if article.parts:
        yield "<Abstract>"
        for label, text in article.parts:
            named = f' Label="{label}" NlmCategory="{label}"' if label else ""
            yield f"<AbstractText{named}>{text}</AbstractText>"
        yield "<CopyrightInformation>Copyright of nobody.</CopyrightInformation></Abstract>"
    yield "<AuthorList><Author><LastName>Nobody</LastName></Author></AuthorList></Article>"
    if article.pmid % 5 == 0:
        yield '<OtherAbstract Language="spa"><AbstractText>Nada de eso.</AbstractText></OtherAbstract>'
    yield "<CommentsCorrectionsList><CommentsCorrections><PMID Version='1'>99999999</PMID></CommentsCorrections>"
    yield "</CommentsCorrectionsList></MedlineCitation><PubmedData><ArticleIdList>"
    yield f'<ArticleId IdType="pubmed">{article.pmid}</ArticleId></ArticleIdList><ReferenceList>'
    for _ in range(chance.randrange(4)):
        yield f"<Reference><Citation>J Cited {chance.randrange(1999)}</Citation></Reference>"
    yield "</ReferenceList></PubmedData></PubmedArticle>\n"


def _note(article: Article, latest: dict[str, int], expected: Expected) -> None:
    name = str(article.pmid)
    if name in latest:
        expected.superseded += 1
        # The last version stands where it is, and not where the first one was.
        del expected.texts[name]
    latest[name] = article.version
    expected.texts[name] = (article.title, article.text) if article.text else ("", article.title)


def _deletion(pmids: list[str], latest: dict[str, int]) -> str:
    named = "".join(f'<PMID Version="{latest[pmid]}">{pmid}</PMID>' for pmid in pmids)
    return f"<DeleteCitation>{named}</DeleteCitation>\n"


def _delete(pmids: list[str], latest: dict[str, int], expected: Expected) -> None:
    for pmid in pmids:
        del latest[pmid], expected.texts[pmid]
    expected.deleted += len(pmids)
    expected.errors = sum(1 for texts in expected.texts.values() if not any(texts))
