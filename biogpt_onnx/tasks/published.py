"""The tasks that BioGPT's authors fine-tuned it for, with their prompts, and description, which needs no fine-tuning.

A task is added here: its definition, and its specification in `PUBLISHED_SPECS`.
"""

from biogpt_onnx.tasks.description import DescriptionTask
from biogpt_onnx.tasks.labels import AnswerTask, ClassificationTask
from biogpt_onnx.tasks.prompts.source import abstract_alone
from biogpt_onnx.tasks.relations import RelationTask
from biogpt_onnx.tasks.spec import Evaluation, TaskSpec

_INTERACTION = "the interaction between {head} and {tail} is {relation}"

DRUG_TARGET_LABELS = (
    *("acetylation", "activator", "adduct", "agonist", "allosteric modulator", "antagonist", "antibody"),
    *("antisense oligonucleotide", "bind", "binder", "binding", "blocker", "carrier", "chaperone", "chelator"),
    *("cleavage", "cofactor", "component of", "cross-linking/alkylation", "degradation", "desensitize the target"),
    *("disruption", "downregulator", "enhancer", "gene replacement", "inactivator"),
    *("incorporation into and destabilization", "inducer", "inhibitor", "inhibitory allosteric modulator"),
    *("intercalation", "inverse agonist", "ligand", "metabolizer", "modulator", "multitarget"),
    *("negative modulator", "neutralizer", "nucleotide exchange blocker", "opener", "other", "other/unknown"),
    *("oxidizer", "partial agonist", "partial antagonist", "positive allosteric modulator", "positive modulator"),
    *("potentiator", "product of", "protector", "reducer", "regulator", "stabilization", "stimulator", "substrate"),
    *("suppressor", "translocation inhibitor", "unknown", "weak inhibitor"),
)
"""The interactions of drugs with their targets, as DrugBank names them, from which KD-DTI was made."""

DRUG_DRUG_LABELS = ("advise", "effect", "int", "mechanism")
"""The four kinds of interaction of the DDI corpus."""

HALLMARKS = (
    "activating invasion and metastasis",
    "avoiding immune destruction",
    "cellular energetics",
    "enabling replicative immortality",
    "evading growth suppressors",
    "genomic instability and mutation",
    "inducing angiogenesis",
    "resisting cell death",
    "sustaining proliferative signaling",
    "tumor promoting inflammation",
)
"""The ten hallmarks of cancer (Hanahan and Weinberg, 2011), as HoC names them."""

NO_HALLMARK = "empty"
"""The label of a sentence about none of the hallmarks."""

BC5CDR = RelationTask(
    "bc5cdr",
    "the relation between {head} and {tail} exists",
    relation="CID",
    head_type="Chemical",
    tail_type="Disease",
)
"""Chemical-induced diseases, from title and abstract."""

KD_DTI = RelationTask(
    "kd-dti",
    _INTERACTION,
    labels=DRUG_TARGET_LABELS,
    head_type="Chemical",
    tail_type="Gene",
    type_names=(("Gene", "Target"),),
)
"""Drug-target interactions, from title and abstract."""

DDI = RelationTask(
    "ddi",
    _INTERACTION,
    labels=DRUG_DRUG_LABELS,
    head_type="Chemical",
    tail_type="Chemical",
    # A group of drugs, as the DDI corpus names it.
    type_names=(("Chemical", "Group"),),
    source=abstract_alone,
)
"""Drug-drug interactions, from a text without its title."""

HOC = ClassificationTask(
    "hoc",
    "the type of this document is {label}.",
    labels=(*HALLMARKS, NO_HALLMARK),
    alone=(NO_HALLMARK,),
)
"""Hallmarks of cancer, from a sentence."""

PUBMEDQA = AnswerTask(
    "pubmedqa",
    "the answer to the question given the context is {label}.",
    labels=("yes", "no", "maybe"),
)
"""Answers to questions, from an abstract."""

DESCRIPTION = DescriptionTask()
"""Texts about terms, by a model that was not fine-tuned."""

_TRIPLES = Evaluation(
    metrics=(
        *("F1", "precision", "recall", "F1 of the averages"),
        *("strict F1", "strict precision", "strict recall"),
    ),
    gold_reader="biogpt_onnx.scores.gold.triples:read_triples",
    report="biogpt_onnx.scores.reports.triples:report_triples",
)

PUBLISHED_SPECS = (
    TaskSpec(
        BC5CDR,
        "BC5CDR",
        checkpoints=("re-bc5cdr-biogpt",),
        evaluation=Evaluation(
            metrics=("F1", "precision", "recall"),
            gold_reader="biogpt_onnx.scores.gold.concept_pairs:read_concept_pairs",
            report="biogpt_onnx.scores.reports.concept_pairs:report_concepts",
            gold_entities=True,
        ),
    ),
    TaskSpec(KD_DTI, "KD-DTI", checkpoints=("re-dti-biogpt",), evaluation=_TRIPLES),
    TaskSpec(DDI, "DDI", checkpoints=("re-ddi-biogpt",), evaluation=_TRIPLES),
    TaskSpec(
        HOC,
        "HoC",
        checkpoints=("dc-hoc-biogpt",),
        # The checkpoints of all other tasks have nine rows.
        known_by_soft_prompt=True,
        evaluation=Evaluation(
            metrics=("micro F1", "macro F1"),
            gold_reader="biogpt_onnx.scores.gold.hallmarks:read_hallmarks",
            report="biogpt_onnx.scores.reports.hallmarks:report_hallmarks",
        ),
    ),
    TaskSpec(
        PUBMEDQA,
        "PubMedQA",
        checkpoints=("qa-pubmedqa-biogpt", "qa-pubmedqa-biogpt-large", "biogpt-large-pubmedqa"),
        evaluation=Evaluation(
            metrics=("accuracy", "macro F1"),
            gold_reader="biogpt_onnx.scores.gold.questions:read_questions",
            report="biogpt_onnx.scores.reports.answers:report_answers",
            gold_conclusions=True,
        ),
    ),
    TaskSpec(DESCRIPTION, "description", fine_tuned=False),
)
"""The specifications, in the order in which commands name the tasks."""
