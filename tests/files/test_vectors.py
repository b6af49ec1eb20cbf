import io
from pathlib import Path

import numpy as np
import pytest

from biogpt_onnx import DocumentError
from biogpt_onnx.files.output import open_results
from biogpt_onnx.files.vectors import Vectors


@pytest.mark.parametrize("count", [0, 1, 3, 12_345])
def test_numpy_reads_the_array_with_a_row_for_each_record(count: int) -> None:
    vectors = np.random.default_rng(0).standard_normal((count, 2)).astype(np.float32)
    stream = io.BytesIO()
    Vectors(2).write_all(({"line": 1, "embedding": vector.tolist()} for vector in vectors), stream)
    stream.seek(0)
    found = np.load(stream)
    assert found.dtype == np.float32
    assert found.shape == (count, 2)
    assert found.tobytes() == vectors.tobytes()


def test_a_record_without_a_vector_is_a_row_of_nan() -> None:
    stream = io.BytesIO()
    Vectors(3).write_all([{"line": 1, "error": "empty"}, {"line": 2, "embedding": [1, 2, 3]}], stream)
    stream.seek(0)
    found = np.load(stream)
    assert np.isnan(found[0]).all()
    assert found[1].tolist() == [1, 2, 3]


def test_an_array_cannot_go_to_standard_output() -> None:
    with pytest.raises(DocumentError, match="written to a file only"), open_results(None, Vectors(3), {}):
        pass


def test_an_array_appears_when_it_is_whole(tmp_path: Path) -> None:
    output = tmp_path / "x.npy"
    with open_results(output, Vectors(3), {}) as results:
        assert not output.exists()
        results.finish()
    assert np.load(output).shape == (0, 3)
