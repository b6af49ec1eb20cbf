"""The fixed requests of a task, answered by a cluster: the answers of the library."""

from collections.abc import Callable
from pathlib import Path

import biogpt_onnx
from makers.corpora import end_of, start_work
from makers.fixed_requests import REQUESTS, answers_of
from makers.fixed_runs import documents_of, merged_answers, prepared


def test_a_cluster_answers_as_the_library_does(mini_by: Callable[[str], Path], tmp_path: Path) -> None:
    bundle, run = mini_by("int8"), prepared("bc5cdr", tmp_path)
    code, said = end_of(start_work(run, bundle, "--ray", "--workers", "2", "--threads", "1"))
    assert code == 0, said
    with biogpt_onnx.load(bundle) as model:
        asked = [request for request in REQUESTS if request["name"] in documents_of("bc5cdr")]
        assert merged_answers(run, "bc5cdr") == answers_of(model, asked)
