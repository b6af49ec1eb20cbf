from collections.abc import Callable
from pathlib import Path

import pytest

from biogpt_onnx.web import pack_page
from conftest import MakeOnce
from makers.web import NO_NODE, NO_PACKAGES, NODE, ONNXRUNTIME_WEB, copy_modules


@pytest.fixture(scope="session")
def modules(make_once: MakeOnce) -> Path:
    """The page's modules, for Node."""
    if NODE is None:
        pytest.skip(NO_NODE)
    return make_once("page-modules", copy_modules)


@pytest.fixture(scope="session")
def onnxruntime_web() -> Path:
    """npm's package of ONNX Runtime's WebAssembly, unpacked."""
    if not ONNXRUNTIME_WEB.is_dir():
        pytest.skip(NO_PACKAGES)
    return ONNXRUNTIME_WEB


@pytest.fixture(scope="session")
def bundles(mini_by: Callable[[str], Path]) -> dict[str, Path]:
    """The embedded checkpoint by each recipe. Tests must not change them."""
    return {recipe: mini_by(recipe) for recipe in ("fp32", "int8", "int4")}


@pytest.fixture(scope="session")
def sites(bundles: dict[str, Path], onnxruntime_web: Path, make_once: MakeOnce) -> dict[str, Path]:
    """These bundles, packed. Tests must not change them."""

    def packed(recipe: str) -> Path:
        def write(target: Path) -> None:
            pack_page(bundles[recipe], target, onnxruntime_web)

        return make_once(f"page-{recipe}", write)

    return {recipe: packed(recipe) for recipe in bundles}
