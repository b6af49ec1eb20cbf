"""The tasks that BioGPT's authors fine-tuned it for, in their wording, and the one that needs no fine-tuning."""

from biogpt_onnx.tasks.description import DescriptionTask
from biogpt_onnx.tasks.labels import AnswerTask, ClassificationTask
from biogpt_onnx.tasks.relations import RelationTask
from biogpt_onnx.tasks.source import abstract_alone

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
"""How DrugBank, from which KD-DTI was made, says what a drug does to a target."""

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

BC5CDR = RelationTask(
    "bc5cdr",
    "the relation between {head} and {tail} exists",
    relation="CID",
    head_type="Chemical",
    tail_type="Disease",
)
"""Diseases that chemicals induce, from title and abstract."""

KD_DTI = RelationTask("kd-dti", _INTERACTION, labels=DRUG_TARGET_LABELS, head_type="Chemical", tail_type="Gene")
"""What drugs do to their targets, from title and abstract."""

DDI = RelationTask(
    "ddi",
    _INTERACTION,
    labels=DRUG_DRUG_LABELS,
    head_type="Chemical",
    tail_type="Chemical",
    source=abstract_alone,
)
"""Interactions of drugs, from a text without its title."""

HOC = ClassificationTask(
    "hoc",
    "the type of this document is {label}.",
    labels=(*HALLMARKS, NO_HALLMARK),
    alone=(NO_HALLMARK,),
)
"""Which hallmarks of cancer a sentence is about."""

PUBMEDQA = AnswerTask(
    "pubmedqa",
    "the answer to the question given the context is {label}.",
    labels=("yes", "no", "maybe"),
)
"""What an abstract answers to a question."""

DESCRIPTION = DescriptionTask()
"""Text about a term, by a model that was not fine-tuned."""
