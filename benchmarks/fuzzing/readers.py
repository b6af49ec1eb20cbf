"""The readers that are fuzzed: each is a function of bytes, which may raise nothing but the errors that users see."""

import io
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.fuzzing import archives, seeds
from biogpt_onnx.export.checkpoint.adapters.settings import read_adapter_settings
from biogpt_onnx.export.checkpoint.files.safetensors_file import read_safetensors
from biogpt_onnx.export.checkpoint.files.source_file import read_json_object
from biogpt_onnx.export.checkpoint.files.state_dict import find_state_dict
from biogpt_onnx.export.checkpoint.files.torch_file import read_torch_file, torch_tensors
from biogpt_onnx.export.checkpoint.formats.huggingface_config import check_model, read_architecture
from biogpt_onnx.export.checkpoint.generation_settings import read_generation_settings
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.export.checkpoint.validate import Problems
from biogpt_onnx.export.checkpoint.vocabulary import find_vocabulary
from biogpt_onnx.files.formats import Format
from biogpt_onnx.files.lexicon import read_lexicon
from biogpt_onnx.files.opening.archive import members_of
from biogpt_onnx.files.reading import read_documents, read_fields
from biogpt_onnx.files.text.columns import Columns
from biogpt_onnx.runtime.bundle import parse_manifest
from biogpt_onnx.runtime.errors import BioGptError
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.vocabulary import VocabularyError
from biogpt_onnx.scores.gold.task_files import read_gold
from biogpt_onnx.tasks.definitions.reading import read_task
from biogpt_onnx.tasks.registry import TASK_SPECS

ERRORS = (BioGptError, VocabularyError)
"""Errors that a bad file may cause: each is one line for the user."""

_ROWS = 3


@dataclass(frozen=True)
class Reader:
    """A reader.

    Attributes:
        name: its name.
        read: reads an input; what it returns in words tells inputs apart that are read otherwise.
        seeds: good inputs, from which others are made.
        tokens: words that inputs of its form hold.
    """

    name: str
    read: Callable[[bytes], str | None]
    seeds: tuple[bytes, ...]
    tokens: tuple[bytes, ...] = field(default=())


def readers(folder: Path | None = None) -> Mapping[str, Reader]:
    """Returns all readers of files by name.

    Args:
        folder: empty folder for the files that they read; by default a temporary one.
    """
    place = Path(tempfile.mkdtemp(prefix="fuzzing-")) if folder is None else folder
    found = [*_of_checkpoints(place), *_of_bundles(place), *_of_documents(place)]
    return {reader.name: reader for reader in found}


def _of_checkpoints(place: Path) -> list[Reader]:
    words = {"dict.txt": seeds.DICTIONARY, "bpecodes": seeds.MERGES}
    return [
        Reader("torch file", _with_file(place / "torch.bin", _read_torch), seeds.torch_files(), seeds.PICKLE_TOKENS),
        Reader("safetensors", _with_file(place / "a.safetensors", _read_safetensors), seeds.safetensors_files()),
        Reader(
            "fairseq dictionary",
            _with_file(_folder(place / "dictionary", words) / "dict.txt", _read_vocabulary),
            (seeds.DICTIONARY,),
            seeds.JSON_TOKENS,
        ),
        Reader(
            "fairseq merges",
            _with_file(_folder(place / "merges", words) / "bpecodes", _read_vocabulary),
            (seeds.MERGES,),
        ),
        Reader(
            "checkpoint config",
            _with_file(_folder(place / "config", {}) / "config.json", _read_config),
            (seeds.CONFIG,),
            seeds.JSON_TOKENS,
        ),
        Reader(
            "generation config",
            _with_file(_folder(place / "generation", {}) / "generation_config.json", _read_generation_config),
            (seeds.GENERATION_CONFIG,),
            seeds.JSON_TOKENS,
        ),
        Reader(
            "adapter config",
            _with_file(_folder(place / "adapter", {}) / "adapter_config.json", _read_adapter_config),
            (seeds.ADAPTER_CONFIG,),
            seeds.JSON_TOKENS,
        ),
    ]


def _of_bundles(place: Path) -> list[Reader]:
    words = {"vocab.json": seeds.VOCABULARY, "merges.txt": seeds.MERGES, "tokenizer_config.json": seeds.TOKENIZER}
    readers_of: list[Reader] = [
        Reader(
            "manifest", lambda data: _drop(parse_manifest(Path("bundle"), data)), (seeds.MANIFEST,), seeds.JSON_TOKENS
        )
    ]
    for name, content in words.items():
        folder = _folder(place / f"tokenizer-{name}", words)
        readers_of.append(Reader(name, _with_file(folder / name, _read_tokenizer), (content,), seeds.JSON_TOKENS))
    return readers_of


def _of_documents(place: Path) -> list[Reader]:
    found = [
        Reader(name, partial(_read_documents, file_format=name), seeds.DOCUMENTS[name], seeds.tokens_of(name))
        for name in seeds.DOCUMENTS
    ]
    everything = tuple(content for contents in seeds.DOCUMENTS.values() for content in contents)
    found.append(Reader("any document", partial(_read_documents, file_format=None), everything + seeds.GZIPPED))
    found.append(
        Reader("tar archive", _with_file(place / "a.tar", _read_archive), archives.archives(), archives.TOKENS)
    )
    if find_spec("pyarrow") is not None:
        from benchmarks.fuzzing import tables

        read = _with_file(place / "a.parquet", _read_parquet)
        found.append(Reader("parquet", read, tables.tables(), tables.TOKENS))
    found.append(Reader("lexicon", _with_file(place / "lexicon.json", _read_lexicon), (seeds.LEXICON,)))
    found.append(Reader("task definition", _with_file(place / "own.toml", _read_task), seeds.TASKS, seeds.TOML_TOKENS))
    for task, content in seeds.GOLD.items():
        gold = _with_file(place / f"gold-{task}{'.tsv' if task == 'hoc' else '.json'}", partial(_read_gold, task=task))
        found.append(Reader(f"gold of {task}", gold, (content,), seeds.JSON_TOKENS))
    return found


def _with_file(path: Path, read: Callable[[Path], str | None]) -> Callable[[bytes], str | None]:
    def of_bytes(data: bytes) -> str | None:
        path.write_bytes(data)
        return read(path)

    return of_bytes


def _folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def _read_torch(path: Path) -> None:
    state_dict, _ = find_state_dict(read_torch_file(path), path.name)
    _read_tensors(torch_tensors(state_dict, path.name))


def _read_safetensors(path: Path) -> None:
    _read_tensors(read_safetensors(path))


def _read_tensors(tensors: Mapping[str, CheckpointTensor]) -> None:
    for tensor in tensors.values():
        # Only what has the shape of a matrix or a vector, and a type that is known, is ever read.
        if tensor.stored_dtype in {"float32", "float16", "bfloat16"} and len(tensor.shape) in {1, 2}:
            tensor.read_rows(0, min(_ROWS, tensor.shape[0]))


def _read_vocabulary(path: Path) -> str:
    problems = Problems()
    find_vocabulary(path.parent, problems=problems)
    return _said(problems)


def _read_config(path: Path) -> str:
    config, problems = read_json_object(path), Problems()
    check_model(path.parent, config)
    read_architecture(config, problems)
    read_generation_settings(path.parent, config, problems, ignore=False)
    return _said(problems)


def _read_generation_config(path: Path) -> str:
    problems = Problems()
    read_generation_settings(path.parent, json.loads(seeds.CONFIG), problems, ignore=False)
    return _said(problems)


def _read_adapter_config(path: Path) -> str:
    problems = Problems()
    read_adapter_settings(path.parent, problems)
    return _said(problems)


def _said(problems: Problems) -> str:
    return "; ".join([str(problems.error("")) if problems else "", *problems.notes])


def _read_tokenizer(path: Path) -> None:
    folder = path.parent
    tokenizer = BioGptTokenizer.from_files(
        folder / "vocab.json", folder / "merges.txt", config=folder / "tokenizer_config.json"
    )
    tokenizer.decode(tokenizer.encode("Aspirin <e1>inhibits</e1>", special_tokens=True))


def _read_documents(data: bytes, file_format: Format | None) -> str:
    problems = {}
    for row in read_documents(io.BufferedReader(io.BytesIO(data)), file_format):
        if row.document is None:
            problems[row.problem] = True
    return "; ".join(str(problem) for problem in list(problems)[:_ROWS])


def _read_parquet(path: Path) -> str:
    columns = Columns(entities="entities")
    said = [row.problem for row in read_documents(path, "parquet", columns=columns)]
    said += [row.problem for row in read_fields(path, "parquet")]
    return "; ".join([problem for problem in dict.fromkeys(said) if problem][:_ROWS])


def _read_archive(path: Path) -> str:
    """Reads an archive whose headers' sums are made right first: nearly every changed one would be refused for them."""
    path.write_bytes(archives.with_right_sums(path.read_bytes()))
    return "; ".join("empty" if not member.stream.read() else "member" for member in members_of(path))


def _read_lexicon(path: Path) -> None:
    read_lexicon(path)


def _read_task(path: Path) -> None:
    read_task(path)


def _read_gold(path: Path, task: str) -> None:
    read_gold(TASK_SPECS[task], path)


def _drop(_: object) -> None:
    pass
