import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx import ConfigError
from biogpt_onnx.tasks.statements.template import StatementTemplate

RELATION = StatementTemplate("the relation between {head} and {tail} exists")
INTERACTION = StatementTemplate("the interaction between {head} and {tail} is {relation}")


def test_a_statement_is_read() -> None:
    assert list(RELATION.parses("the relation between lithium and tremor exists")) == [
        {"head": "lithium", "tail": "tremor"}
    ]
    assert list(INTERACTION.parses("the interaction between aspirin and cox-1 is inhibitor")) == [
        {"head": "aspirin", "tail": "cox-1", "relation": "inhibitor"}
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "the relation between lithium and tremor",
        "relation between lithium and tremor exists",
        "the relation between lithium exists",
        "the relation between  and tremor exists",
        "the relation between lithium and  exists",
    ],
)
def test_what_is_no_statement_has_no_parse(text: str) -> None:
    assert list(RELATION.parses(text)) == []


def test_every_way_to_read_and_is_given() -> None:
    parses = list(RELATION.parses("the relation between a and b and c exists"))
    assert parses == [{"head": "a and b", "tail": "c"}, {"head": "a", "tail": "b and c"}]


@given(st.lists(st.sampled_from(["x", "and", "is", "exists", "y"]), max_size=9))
def test_the_first_parse_is_that_of_greedy_expressions(words: list[str]) -> None:
    text = f"the interaction between {' '.join(words)}"
    expected = re.fullmatch(r"the interaction between (.*) and (.*) is (.*)", text)
    first = next(INTERACTION.parses(text), None)
    if expected is None or not all(part.strip() for part in expected.groups()):
        return
    assert first is not None
    assert tuple(first.values()) == tuple(part.strip() for part in expected.groups())


@pytest.mark.parametrize(
    "template",
    [
        "the relation between {head} exists",
        "{head} and {tail}",
        "between {head} {tail}",
        "between {head} and {tail} and {head}",
        "between {head} and {tail} in {place}",
        "between {head} and {} in {tail}",
        "nothing",
    ],
)
def test_a_template_that_cannot_be_read_back_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="statement"):
        StatementTemplate(template)
