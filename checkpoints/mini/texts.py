"""Running text and looser relations, which stand in a folder beside the annotated documents."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data import Abstract, DataError, in_order, join_title

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ABSTRACTS = ("abstracts_drug_reviews", "abstracts_bionlp", "ade_documents")
FULL_TEXT = "fulltext_ccby"
RELATIONS = ("ade_documents", "relations_silver")

_WATCHED = 100  # one document in so many is never trained on, and watched instead
_CHUNK = 2500  # characters; full text is cut into chunks of about this length


@dataclass(frozen=True)
class Article:
    """A title with its abstract, or a chunk of full text, which has no title."""

    title: str
    text: str

    @property
    def joined(self) -> str:
        """Title and text as one."""
        return join_title(self.title, self.text) if self.title else self.text


@dataclass(frozen=True)
class Texts:
    """What is read from the folder; the watched part is held apart from everything else."""

    articles: tuple[Article, ...]
    full_text: tuple[Article, ...]
    relations: tuple[Abstract, ...]
    watched: tuple[Article, ...]


def load_texts(folder: Path) -> Texts:
    """Read the files of ``folder``."""
    rows = {name: list(_rows(folder / f"{name}.jsonl.gz")) for name in (*ABSTRACTS, FULL_TEXT, RELATIONS[1])}
    watched = {_key(row) for name in (*ABSTRACTS, FULL_TEXT) for row in rows[name] if _is_watched(row)}
    kept = {name: [row for row in found if _key(row) not in watched] for name, found in rows.items()}
    apart = [row for name in ABSTRACTS for row in rows[name] if _key(row) in watched]
    return Texts(
        articles=tuple(_article(row) for name in ABSTRACTS for row in kept[name]),
        full_text=tuple(chunk for row in kept[FULL_TEXT] for chunk in _chunks(row)),
        relations=tuple(_related(row) for name in RELATIONS for row in kept[name] if row["relations"]),
        watched=tuple(map(_article, apart)),
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _key(row: dict[str, Any]) -> str:
    """Return what a document is known by in every file."""
    return str(row["pmid"] or row["title"])


def _is_watched(row: dict[str, Any]) -> bool:
    digest = hashlib.sha256(_key(row).encode("utf-8")).digest()
    return int.from_bytes(digest[:4], "big") % _WATCHED == 0


def _article(row: dict[str, Any]) -> Article:
    return Article(row["title"], row["abstract"])


def _chunks(row: dict[str, Any]) -> Iterator[Article]:
    """Yield runs of paragraphs of about equal length."""
    run: list[str] = []
    for _, paragraphs in row["body"]:
        for paragraph in paragraphs:
            run.append(paragraph)
            if sum(map(len, run)) >= _CHUNK:
                yield Article("", " ".join(run))
                run = []
    if run:
        yield Article("", " ".join(run))


def _related(row: dict[str, Any]) -> Abstract:
    text = _article(row).joined
    pairs = in_order(text, [(chemical, disease) for chemical, disease in row["relations"]])
    return Abstract(text, pairs, *(_singles(names) for names in zip(*pairs, strict=True)))


def _singles(names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    return tuple((name,) for name in dict.fromkeys(names))
