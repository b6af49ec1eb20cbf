from pathlib import Path

import pytest

from biogpt_onnx.server.security.keys import ApiKeys
from makers.serving import KEY


@pytest.fixture
def keys(tmp_path: Path) -> ApiKeys:
    path = tmp_path / "keys"
    path.touch(mode=0o600)
    path.write_text(KEY)
    return ApiKeys(path)
