"""Good inputs of each form, small, from which fuzzing makes bad ones."""

import gzip
import io
import json
from collections.abc import Sequence

from biogpt_onnx.files.formats import Format

_SYMBOLS = ("<s>", "<pad>", "</s>", "<unk>", "asp</w>", "a", "s", "p", "as", "p</w>", "in</w>", "hib", "its</w>")


def _json(content: object) -> bytes:
    return json.dumps(content).encode()


DICTIONARY = b"a@@ 9\ns@@ 9\nas@@ 8\nasp 7\nin 6 #fairseq:overwrite\nlearned1 1\n"
MERGES = b"a s 9\nas p</w> 8\n"
VOCABULARY = _json({symbol: number for number, symbol in enumerate(_SYMBOLS)})
TOKENIZER = _json(
    {
        "tokenizer_class": "BioGptTokenizer",
        "added_tokens_decoder": {
            str(len(_SYMBOLS)): {"content": "<e1>", "lstrip": False, "rstrip": True, "special": True},
            str(len(_SYMBOLS) + 1): {"content": "</e1>", "normalized": False, "single_word": False, "special": False},
        },
        "pad_token": "<pad>",
    }
)
CONFIG = _json(
    {
        "model_type": "biogpt",
        "architectures": ["BioGptForCausalLM"],
        "num_hidden_layers": 2,
        "hidden_size": 16,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "vocab_size": len(_SYMBOLS),
        "max_position_embeddings": 64,
        "hidden_act": "gelu",
        "scale_embedding": True,
        "eos_token_id": [2, 3],
        "id2label": {"0": "yes", "1": "no"},
        "hidden_dropout_prob": 0.1,
    }
)
GENERATION_CONFIG = _json(
    {"num_beams": 5, "max_new_tokens": 20, "eos_token_id": 2, "length_penalty": 0.9, "bad_words_ids": [[3]]}
)
ADAPTER_CONFIG = _json(
    {
        "peft_type": "LORA",
        "r": 8,
        "lora_alpha": 16,
        "target_modules": ["q_proj", "v_proj"],
        "rank_pattern": {"layers.0.q_proj": 4},
        "base_model_name_or_path": "organisation/name",
        "bias": "none",
        "task_type": "CAUSAL_LM",
    }
)
_SPEC = {"name": "input_ids", "dtype": "int64", "shape": ["batch", 1]}
MANIFEST = _json(
    {
        "format_version": 1,
        "precision": "int8",
        "recipe": "int8",
        "architecture": {
            "num_layers": 2,
            "hidden_size": 16,
            "num_heads": 2,
            "intermediate_size": 32,
            "vocab_size": 13,
            "max_positions": 64,
            "soft_prompt_size": 0,
            "tied_head": True,
            "scale_embedding": True,
        },
        "inputs": [_SPEC],
        "outputs": [_SPEC],
        "source": "huggingface:mini",
        "tools": {"onnx": "1"},
        "files": {
            name: {"size": 1, "sha256": "0" * 64}
            for name in ("model.onnx", "model.onnx.data", "config.json", "vocab.json", "merges.txt", "mixed.onnx")
        },
        "mixed": {"inputs": [_SPEC], "outputs": []},
        "layer_precisions": {"layers.0.q_proj": "int8"},
        "end_token_ids": [2],
        "head": {"kind": "token-classification", "labels": ["O"], "pad_token_id": 1, "problem_type": "regression"},
        "lineage": {"checkpoint": {"files": []}},
        "notes": ["a note"],
    }
)
LEXICON = _json({"lithium": "D008094", "Li": "D008094", "tremor": "MESH:D014202", "ataxia": "-1"})

_TEXT = "Lithium caused tremor in two of nine patients. Na\u00efve \u03b2 cells \U0001f600 were not."
_RECORD = {
    "id": "7",
    "title": "Tremor.",
    "text": _TEXT,
    "question": "Is it?",
    "entities": [{"text": "Lithium", "type": "chemical", "start": 0, "end": 7, "concept": "D008094"}],
}
_PUBTATOR = (
    b"7|t|Tremor.\n7|a|Lithium caused tremor.\n7\t8\t15\tLithium\tChemical\tMESH:D008094\n"
    b"7\t23\t29\ttremor\tDisease\tD014202|D000001\n7\tCID\tD008094\tD014202\n\n8|t|Ataxia.\n8|a|\n"
)
_BIOC = f"""<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE collection SYSTEM "BioC.dtd"><collection><source>x</source>
<date/><key>k</key><document><id>7</id><infon key="a">b</infon><passage><infon key="type">title</infon>
<offset>0</offset><text>Tremor.</text></passage><passage><offset>8</offset><text>{_TEXT}</text>
<annotation id="1"><infon key="type">Chemical</infon><infon key="identifier">D008094</infon>
<location offset="8" length="7"/><text>Lithium</text></annotation></passage></document></collection>""".encode()
_BIOC_DOCUMENT = {
    "id": "7",
    "infons": {},
    "passages": [
        {
            "offset": 0,
            "infons": {"type": "abstract"},
            "text": _TEXT,
            "annotations": [
                {
                    "id": "1",
                    "infons": {"type": "Chemical", "identifier": "D008094"},
                    "text": "Lithium",
                    "locations": [{"offset": 0, "length": 7}],
                }
            ],
        }
    ],
}
_PUBMED = b"""<?xml version="1.0" encoding="utf-8"?><!DOCTYPE PubmedArticleSet SYSTEM "http://x.example/p.dtd">
<PubmedArticleSet><PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="1">7</PMID><Article>
<ArticleTitle>[Tremor &amp; <i>ataxia</i>.]</ArticleTitle><Abstract><AbstractText Label="AIM" NlmCategory="OBJECTIVE">
We asked.</AbstractText><AbstractText>It did.</AbstractText></Abstract><Language>eng</Language></Article>
</MedlineCitation></PubmedArticle><PubmedBookArticle><BookDocument><PMID>9</PMID></BookDocument></PubmedBookArticle>
<DeleteCitation><PMID Version="1">8</PMID></DeleteCitation></PubmedArticleSet>"""
_JATS = b"""<?xml version="1.0"?><article xml:lang="en">
<front><article-meta><article-id pub-id-type="pmid">7</article-id>
<title-group><article-title>Tremor</article-title></title-group><abstract><sec><title>Aim</title><p>We
<bold>asked</bold><xref>1</xref>.</p></sec></abstract></article-meta></front>
<body><sec><title>Methods</title><p>We did.</p><sec><p>More
<table-wrap><table><tr><td>1</td></tr></table></table-wrap></p></sec></sec></body></article>"""
_CSV = b'id,title,text,question\n7,Tremor.,"Lithium, ""caused"" tremor.\nYes.",Is it?\n8,,Ataxia.,\n'

DOCUMENTS: dict[Format, tuple[bytes, ...]] = {
    "text": (f"{_TEXT}\n\nAnother.\r\n".encode(), "\ufeffLithium.\n".encode()),
    "jsonl": (_json(_RECORD) + b"\n" + _json({"id": 8, "text": "Ataxia."}) + b"\n",),
    "json": (_json([_RECORD, {"text": "x"}]), _json({"7": _RECORD, "8": {"text": "y"}})),
    "csv": (_CSV,),
    "tsv": (b"id\ttext\n7\tLithium.\n8\tAtaxia.\n",),
    "pubtator": (_PUBTATOR,),
    "bioc": (_BIOC,),
    "biocjson": (_json({"source": "x", "date": "", "key": "", "infons": {}, "documents": [_BIOC_DOCUMENT]}),),
    "pubmed": (_PUBMED,),
    "jats": (_JATS,),
}
"""Files of documents by their format."""

GZIPPED = (gzip.compress(_PUBTATOR, mtime=0), gzip.compress(_json(_RECORD) + b"\n", mtime=0) * 2)

GOLD = {
    "bc5cdr": _json(
        {
            "7": {
                "title": "Tremor.",
                "abstract": _TEXT,
                "relations": [{"chemical": "D1", "disease": "D2"}],
                "chemical2id": {"a": "D1"},
                "disease2id": {"b": "D2"},
            }
        }
    ),
    "pubmedqa": _json(
        {"7": {"QUESTION": "Is it?", "CONTEXTS": [_TEXT], "LONG_ANSWER": "Yes.", "final_decision": "yes"}}
    ),
    "ddi": _json({"7": {"abstract": _TEXT, "triples": [{"drug": "a", "interaction": "effect", "target": "b"}]}}),
    "hoc": b"Lithium induced apoptosis.\tresisting cell death\n",
}
"""Gold files by their task."""

TASKS = (
    b"""kind = "relations"
name = "causes"
statement = "that {head} leads to {tail}"
relation = "cause"
head_type = "Chemical"
min_score = 0.001
[type_names]
Chemical = ["drug"]
""",
    b"""kind = "classification"
name = "severity"
sentence = "the events are {label}."
labels = ["mild", "serious", "none"]
alone = ["none"]
prompt = "title: {title} text: {text} who was studied? "
lower = true
soft_prompt_size = 9
[decoding]
num_beams = 3
""",
)

PICKLE_TOKENS = (
    *(b"cbuiltins\nbytearray\n", b"cbuiltins\ngetattr\n", b"ctorch._utils\n_rebuild_tensor_v2\n", b"cposix\nsystem\n"),
    *(b"ccollections\nOrderedDict\n", b"ccollections\ndefaultdict\n", b"cargparse\nNamespace\n", b"ctorch\nSize\n"),
    *(b"R", b"b", b"Q", b"\x85R.", b"(J\xff\xff\xff\x7ft", b"u", b"s", b"\x8a", b"\x80\x02"),
)
JSON_TOKENS = (b'{"', b'":', b"[", b"]", b"},{", b"null", b"true", b"-1", b"1e999", b"NaN", b'"\\ud800"', b"1" * 5000)
TOML_TOKENS = (b"[[", b"]]", b'"""', b"= [", b"{label}", b"{", b"inf", b"1979-05-27", b"1" * 5000)
_XML_TOKENS = (
    *(b"<![CDATA[", b"]]>", b"<!ENTITY a 'b'>", b"&a;", b"&#0;", b"&#x10ffff;", b"<?xml version='1.1'?>", b"</"),
    *(b"<PMID>", b"<AbstractText>", b"<infon>", b"<sec>", b'xmlns="x"', b"<!DOCTYPE x ["),
)
_TABLE_TOKENS = (b'"', b'""', b"\t", b",", b"\r\n", b"\0", b"|t|", b"|a|", b"CID", b"\xff")


def tokens_of(file_format: Format) -> tuple[bytes, ...]:
    """Returns words that files of a format hold."""
    if file_format in {"bioc", "pubmed", "jats"}:
        return _XML_TOKENS
    if file_format in {"jsonl", "json", "biocjson"}:
        return JSON_TOKENS
    return _TABLE_TOKENS


def safetensors_files() -> tuple[bytes, ...]:
    """Returns files of safetensors."""
    header = _json(
        {
            "__metadata__": {"format": "pt"},
            "a.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
            "b.bias": {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]},
        }
    )
    return (len(header).to_bytes(8, "little") + header + bytes(range(32)),)


def torch_files() -> tuple[bytes, ...]:
    """Returns files of `torch.save`, in both of its forms; none without torch."""
    try:
        import argparse

        import torch
    except ImportError:
        return ()
    tensors = {"a.weight": torch.ones(2, 3), "b.bias": torch.zeros(4, dtype=torch.bfloat16)}
    contents: Sequence[object] = (tensors, {"model": tensors, "args": argparse.Namespace(arch="biogpt")})
    found = []
    for content in contents:
        for is_zip in (True, False):
            stream = io.BytesIO()
            torch.save(content, stream, _use_new_zipfile_serialization=is_zip)
            found.append(stream.getvalue())
    return tuple(found)
