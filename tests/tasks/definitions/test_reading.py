from pathlib import Path

import pytest

from biogpt_onnx import ConfigError, tasks
from biogpt_onnx.tasks import AnswerTask, ClassificationTask, DescriptionTask, Document, PromptTemplate, RelationTask
from biogpt_onnx.tasks.definitions.identity import task_identity
from biogpt_onnx.tasks.prompts.source import question_and_context
from makers.documents import save

RELATIONS = """
kind = "relations"
name = "mine"
statement = "that {head} leads to {tail}"
relation = "cause"
"""
ANSWERS = """
kind = "answers"
name = "population"
sentence = "the study was done in {label}."
labels = ["adults", "children", "rats"]
"""


def test_relations_are_defined_by_the_fields_of_their_class(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        "mine.toml",
        RELATIONS.replace('relation = "cause"', "").replace("leads to", "is the {relation} of")
        + """
labels = ["cause", "cure"]
head_type = "Chemical"
tail_type = "Disease"
distinct = false
min_score = 0.25
soft_prompt_size = 4
least_new_tokens = 32

[type_names]
Chemical = ["T103", "Drug"]
Disease = "T047"

[decoding]
num_beams = 2
stop_strings = ["!"]
""",
    )
    assert tasks.load(path) == RelationTask(
        "mine",
        "that {head} is the {relation} of {tail}",
        labels=("cause", "cure"),
        head_type="Chemical",
        tail_type="Disease",
        type_names=(("Chemical", "T103"), ("Chemical", "Drug"), ("Disease", "T047")),
        distinct=False,
        min_score=0.25,
        soft_prompt_size=4,
        least_new_tokens=32,
        config=tasks.BC5CDR.config.replace(num_beams=2, stop_strings=("!",)),
    )


def test_a_task_that_says_little_takes_the_prompts_of_its_kind_and_any_soft_prompt(tmp_path: Path) -> None:
    assert tasks.load(save(tmp_path, "mine.toml", RELATIONS)) == RelationTask(
        "mine", "that {head} leads to {tail}", relation="cause", soft_prompt_size=None
    )
    answers = tasks.load(save(tmp_path, "population.toml", ANSWERS))
    assert answers == AnswerTask(
        "population", "the study was done in {label}.", labels=("adults", "children", "rats"), soft_prompt_size=None
    )
    assert isinstance(answers, AnswerTask)
    assert answers.source is question_and_context
    anything = save(tmp_path, "any.toml", RELATIONS + 'soft_prompt_size = "any"\n')
    assert tasks.load(anything).soft_prompt_size is None


@pytest.mark.parametrize("kind", ["classification", "labels"])
def test_classes_and_descriptions_are_defined(tmp_path: Path, kind: str) -> None:
    text = f"""kind = "{kind}"
name = "severity"
sentence = "the event is {{label}}."
labels = ["mild", "severe", "none"]
alone = ["none"]
separator = "; "
"""
    assert tasks.load(save(tmp_path, "severity.toml", text)) == ClassificationTask(
        "severity",
        "the event is {label}.",
        labels=("mild", "severe", "none"),
        separator="; ",
        alone=("none",),
        soft_prompt_size=None,
    )
    text = 'kind = "description"\nname = "summary"\nprompt = "summary of {text}:"\nsoft_prompt_size = 0\n'
    assert tasks.load(save(tmp_path, "summary.toml", text)) == DescriptionTask(
        "summary", source=PromptTemplate("summary of {text}:")
    )


def test_a_prompt_of_its_own_decides_if_a_question_is_needed(tmp_path: Path) -> None:
    without = tasks.load(save(tmp_path, "a.toml", ANSWERS + 'prompt = "context: {text}"\nlower = true\n'))
    asking = tasks.load(save(tmp_path, "b.toml", ANSWERS + 'prompt = "{question} {text}"\n'))
    assert isinstance(without, AnswerTask)
    assert isinstance(asking, AnswerTask)
    assert (without.needs_question, asking.needs_question) == (False, True)
    assert without.source(Document("Nine RATS.")).text == "context: nine rats."
    assert asking.source(Document("Nine RATS.", question="Who?")).text == "Who? Nine RATS."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind = ", "is not TOML: "),
        (
            'name = "x"\n',
            "the key 'kind' is missing: it must be one of relations, answers, classification, d",
        ),
        ('kind = "relation"\n', "the key 'kind' is 'relation' (did you mean 'relations'?): it must be one of"),
        ("kind = 5\n", "the key 'kind' is 5: it must be one of"),
        ('kind = "answers"\nname = "a"\n', "the key 'sentence' is missing: it must be a text"),
        (RELATIONS.replace("name", "nam"), "the key 'nam' is unknown (did you mean 'name'?): known are kind, name,"),
        (RELATIONS + 'sentence = "{label}"\n', "the key 'sentence' is unknown"),
        (RELATIONS + "labels = 5\n", "the key 'labels' is 5: it must be a list of at least two texts"),
        (RELATIONS + 'labels = ["a", 5]\n', "the key 'labels' is a list of 2, one of them no text or empty"),
        (RELATIONS + 'labels = ["a"]\n', "the key 'labels' is a list of 1: it must be a list of at least two texts"),
        (RELATIONS + 'labels = ["a", "b"]\n', "`labels` name relations, but the statement has no {relation}"),
        (RELATIONS + 'distinct = "no"\n', "the key 'distinct' is the text 'no': it must be true or false"),
        (RELATIONS + "min_score = 30\n", "the key 'min_score' is 30: it must be a number from 0 to 1"),
        (RELATIONS + "min_score = true\n", "the key 'min_score' is true: it must be a number from 0 to 1"),
        (RELATIONS + "soft_prompt_size = -1\n", "the key 'soft_prompt_size' is -1: it must be a whole number of 0 or"),
        (RELATIONS + 'head_type = ""\n', "the key 'head_type' is an empty text: it must be a text"),
        (RELATIONS + "prompt = 2026-01-01\n", "the key 'prompt' is a date: it must be a text"),
        (RELATIONS + 'prompt = "no place"\n', "the key 'prompt': the template is 'no place': give {text} in it, once"),
        (RELATIONS.replace('"mine"', '"mine "'), "the key 'name' is the text 'mine ': it must be a text on one line"),
        (RELATIONS + "lower = true\n", "the key 'lower' is for a prompt of its own: give the key 'prompt' too"),
        (RELATIONS.replace("{head}", "it"), "the statement is 'that it leads to {tail}': give {head} and {tail}"),
        (RELATIONS.replace('relation = "cause"', ""), "either the statement holds {relation}, or `relation` says"),
        (RELATIONS + "[type_names]\nGene = 5\n", "the key 'type_names' is a table: it must be a table of types"),
        (
            RELATIONS + 'head_type = "Drug"\n[type_names]\nDrugs = "x"\n',
            "'Drugs' of `type_names` is no type of",
        ),
        (
            RELATIONS + "[decoding]\nnum_beam = 2\n",
            "table decoding: the key 'num_beam' is unknown (did you mean 'n",
        ),
        (RELATIONS + "[decoding]\nnum_beams = 0\n", "table decoding: num_beams is 0"),
        (RELATIONS + "[decoding]\nlogits_processors = []\n", "table decoding: the key 'logits_processors' is unknown"),
        (ANSWERS.replace("{label}", "label"), "the sentence is 'the study was done in label.': give {label} in it"),
        (ANSWERS.replace("children", "rats"), "give at least two, each of them once"),
        (
            ANSWERS.replace('"answers"', '"classification"') + 'alone = ["rat"]\n',
            "'rat' of `alone` is no label (did you mean 'rats'?): known are adults, children, rats",
        ),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_file_and_the_key(tmp_path: Path, text: str, words: str) -> None:
    path = save(tmp_path, "mine.toml", text)
    with pytest.raises(ConfigError) as caught:
        tasks.load(path)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tasks.load(tmp_path / "nothing.toml")
    with pytest.raises(ConfigError, match=r"mine\.toml is not UTF-8 \(byte 0\)"):
        tasks.load(save(tmp_path, "mine.toml", b"\xff"))
    with pytest.raises(ConfigError, match="nested too deeply"):
        tasks.load(save(tmp_path, "mine.toml", "a = " + "[" * 100_000))


def test_a_byte_order_mark_is_no_part_of_a_definition(tmp_path: Path) -> None:
    assert tasks.load(save(tmp_path, "mine.toml", "\ufeff" + RELATIONS)).name == "mine"


def test_a_tasks_identity_tells_its_settings_and_is_the_same_in_every_process(tmp_path: Path) -> None:
    task = tasks.load(save(tmp_path, "mine.toml", RELATIONS))
    other = tasks.load(save(tmp_path, "mine.toml", RELATIONS.replace("leads", "points")))
    assert task_identity(task) != task_identity(other)
    assert task_identity(task)["source"] == "biogpt_onnx.tasks.prompts.source.title_and_abstract"
    assert " at 0x" not in str(task_identity(task))
