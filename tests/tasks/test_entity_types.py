import pytest

from biogpt_onnx.tasks import BC5CDR, DDI, KD_DTI
from biogpt_onnx.tasks.entity_types import is_of_type


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("Chemical", "Chemical"),
        ("CHEMICAL", "Chemical"),
        ("ChemicalEntity", "Chemical"),
        ("Simple_chemical", "Chemical"),
        ("drug", "Chemical"),
        ("drug_n", "Chemical"),
        ("brand", "Chemical"),
        ("DiseaseOrPhenotypicFeature", "Disease"),
        ("GeneOrGeneProduct", "Gene"),
        ("Gene_or_gene_product", "Gene"),
        ("GENE-Y", "Gene"),
        ("T116, chemical", "Chemical"),
        ("", "Chemical"),
        (" ", "Chemical"),
        ("anything", ""),
    ],
)
def test_types_are_known_by_the_names_that_corpora_give_them(given: str, wanted: str) -> None:
    assert is_of_type(given, wanted)


@pytest.mark.parametrize(
    ("given", "wanted"), [("Disease", "Chemical"), ("T103", "Chemical"), ("group", "Chemical"), ("target", "Gene")]
)
def test_other_names_are_other_types(given: str, wanted: str) -> None:
    assert not is_of_type(given, wanted)


def test_more_names_may_be_given() -> None:
    names = (("chemical", "T103"), ("Chemical", "a, b"), ("Disease", "T047"))
    assert is_of_type("t103", "Chemical", names)
    assert is_of_type("T116,T103", "Chemical", names)
    assert is_of_type("A, B", "Chemical", names)
    assert not is_of_type("T047", "Chemical", names)


def test_a_task_knows_the_words_of_its_own_corpus() -> None:
    assert is_of_type("group", DDI.head_type, DDI.type_names)
    assert is_of_type("target", KD_DTI.tail_type, KD_DTI.type_names)
    assert not is_of_type("group", BC5CDR.head_type, BC5CDR.type_names)
