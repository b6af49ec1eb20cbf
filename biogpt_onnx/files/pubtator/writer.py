"""Writing relations as PubTator."""

import re
from dataclasses import dataclass, field

from biogpt_onnx.files.annotations import Mention, RelationSchema, annotated_relations
from biogpt_onnx.files.lexicon import Lexicon
from biogpt_onnx.files.records import Record
from biogpt_onnx.tasks.document import Document

# All characters that some reader takes for the end of a line or of a field, and NUL, which marks binary files.
_BREAKS = "\0\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"
_TO_SPACES = str.maketrans(_BREAKS, " " * len(_BREAKS))
_TO_UNDERSCORES = str.maketrans(_BREAKS + "|", "_" * (len(_BREAKS) + 1))

# Bars that some reader takes for the beginning of a title or an abstract.
_BARS = re.compile(r"\|(?=[ta]\|)|(?<=^[ta])\|")


@dataclass(frozen=True)
class PubTator:
    """Relations as PubTator; see `OutputFormat`.

    A document without a title is written as a title with an empty abstract, so that its spans count from its own
    beginning. A document without an id gets its line number. Records of errors are left out.

    Attributes:
        schema: The names of the relations and the entity types.
        lexicon: The concepts of the entities; an entity that it lacks is its own concept, in lower case.
    """

    schema: RelationSchema
    lexicon: Lexicon = field(default_factory=Lexicon)

    needs_documents = True

    def header(self) -> str:
        """Returns nothing: PubTator has no header."""
        return ""

    def format_record(self, record: Record) -> str:
        """Returns the document, its mentions in the order of the text, and its relations in the model's order."""
        if "error" in record:
            return ""
        name = _name(record)
        title, text = (one_line(record["document"][part]) for part in ("title", "text"))
        first, second = (title, text) if title else (text, "")
        full_text = Document(text, title=title).full_text
        relations = annotated_relations(record, full_text, self.schema, self.lexicon)
        mentions = {mention: mention.span for each in relations for mention in (each.head, each.tail) if mention.span}
        lines = [f"{name}|t|{first}", f"{name}|a|{second}"]
        lines += [_annotation(name, mention) for mention in sorted(mentions, key=_place)]
        lines += dict.fromkeys(
            "\t".join((name, *map(one_line, (each.name, each.head.concept, each.tail.concept)))) for each in relations
        )
        return "\n".join(lines) + "\n\n"

    def footer(self) -> str:
        """Returns nothing: PubTator has no footer."""
        return ""


def one_line(text: str) -> str:
    """Returns a text of the same length that every reader of PubTator takes for one line and one field."""
    return _BARS.sub(" ", text.translate(_TO_SPACES))


def _name(record: Record) -> str:
    name = (record["id"] or "").translate(_TO_UNDERSCORES).strip()
    return name or str(record["line"])


def _annotation(name: str, mention: Mention) -> str:
    start, end = mention.span or (0, 0)
    return "\t".join((name, str(start), str(end), mention.text, mention.kind, one_line(mention.concept)))


def _place(mention: Mention) -> tuple[int, int, str]:
    return (*(mention.span or (0, 0)), mention.kind)
