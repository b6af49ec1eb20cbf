import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from biogpt_onnx.runtime.errors import PromptError
from biogpt_onnx.runtime.tokenizer import moses
from biogpt_onnx.runtime.tokenizer.words import WordMap

sacremoses = pytest.importorskip("sacremoses")
REFERENCE = sacremoses.MosesTokenizer(lang="en")
WORDS = WordMap(tuple)  # one for all examples: what it remembers must hold in every other text


def reference(text: str) -> list[str]:
    tokens: list[str] = REFERENCE.tokenize(text, aggressive_dash_splits=True, escape=True)
    return tokens


@settings(max_examples=1000, deadline=None)
@given(data=st.data())
def test_word_by_word_gives_what_sacremoses_gives_for_the_whole_text(
    awkward_texts: SearchStrategy[str], data: DataObject
) -> None:
    text = data.draw(awkward_texts)
    assert WORDS.items(text) == reference(text)


@pytest.mark.parametrize(
    "text",
    [
        "x5' '6 y",
        "'6 '6 '6",
        ",5 ,5 ,5",
        "a ' ' ' b",
        "end.' end.'",
        "a'\x00 \x00'5",
        "No. 5 No. x No. X No.",
        "5.. .5 ...a 'a..' '..'",
        "(,5) 5,) '5) 5'&'5",
        "Z. \u03b1 Z. \u0391 Z. \u0301 Z. \u65e5",
        "..DOTMULTI.0 a..DOTMULTI... b.. c",
        "DOTMULTI. DOTDOTMULTI.. xDOTMULTI",
        "was 1.5. Then 0.05. 3.1.2. a.b. Then e.g. U.S. x",
    ],
)
def test_words_that_depend_on_their_neighbours_are_tokenized_as_in_the_whole_text(text: str) -> None:
    assert WORDS.items(text) == reference(text)


@pytest.mark.parametrize("length", [2, 1000, 100_000])
def test_long_runs_of_dots_stay_whole(length: int) -> None:
    assert WORDS.items(f"wait{'.' * length}what") == ["wait", "." * length, "what"]


@pytest.mark.parametrize("piece", ["'", "' ", "&", ",", "-", "a.", "\xe9.b. ", "\x00", "\u65e5", "`"])
def test_long_repetitions_of_what_rules_look_at_are_tokenized_alike(piece: str) -> None:
    assert WORDS.items(piece * 1000) == reference(piece * 1000)


@pytest.mark.parametrize("text", ["DOT" * 1001 + "MULTI", "DOTMULTI" + "." * 1001])
def test_a_repetition_that_older_versions_cannot_read_in_reasonable_time_is_refused(text: str) -> None:
    with pytest.raises(PromptError, match=r"DOTMULTI repeats .* over 1,000 times"):
        WORDS.items(text)


def test_the_same_repetition_elsewhere_is_read() -> None:
    assert WORDS.items("DOT" * 1001 + " DOTMULTI" + " " + "." * 1001) == ["DOT" * 1001, ".", "." * 1001]


def test_stand_ins_for_neighbours_are_one_token_and_no_abbreviation_of_their_own() -> None:
    for stand_in in (moses.LOWERCASE, moses.DIGIT, moses.OTHER):
        assert reference(f"x {stand_in} x") == ["x", stand_in, "x"]


def test_words_that_many_prompts_consist_of_need_no_slow_import() -> None:
    code = (
        "import sys\n"
        "from biogpt_onnx.runtime.tokenizer.words import WordMap\n"
        "WordMap(tuple).items('COVID-19 (2019), IL-6; e.g. p < 0.05: 1.5% [3H] x. y')\n"
        "sys.exit('sacremoses' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
