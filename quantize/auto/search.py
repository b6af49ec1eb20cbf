"""The search for the smallest mixture of precisions whose perplexity grows by no more than is allowed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from biogpt_onnx.quantize.auto.mixed_precision import (
    EMBEDDING,
    Packing,
    bytes_a_step,
    linear_shapes,
    mixture_precision,
    packed_bytes,
    table_shape,
)
from biogpt_onnx.quantize.auto.passages import Growth, SearchText
from biogpt_onnx.quantize.auto.sensitivity import ordered, sensitivities
from biogpt_onnx.quantize.auto.weight_pool import WeightPool
from biogpt_onnx.quantize.recipes import RECIPES, Recipe
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession

NAME = "auto"

Report = Callable[[str, int, int], None]
"""Told what is being done, and how much of how much of it is."""

_FOUR_BITS = RECIPES["int4"].body
_EIGHT_BITS = RECIPES["int8"].body
_TABLE = RECIPES["int8"].table


@dataclass(frozen=True)
class Choice:
    """What the search found.

    Attributes:
        recipe: how each layer is packed.
        growth: of perplexity on the text that was searched with; None where nothing is quantized.
        bytes_a_step: of matrices that a step of one token reads.
        float32_bytes_a_step: likewise, of the float32 bundle.
        num_measured: mixtures whose growth was measured.
    """

    recipe: Recipe
    growth: Growth | None
    bytes_a_step: int
    float32_bytes_a_step: int
    num_measured: int


class MixtureSearch:
    """Four bits where possible, else eight, and float32 where even those cost too much.

    Two precisions at a time, so that an order of the layers and a bisection along it do: with all the layers together,
    errors add up in ways that no layer alone tells, and only a measured mixture counts.

    Args:
        source: the float32 bundle.
        pool: its weights, smoothed.
        passages: see `search_passages`.
        most: by how much perplexity may grow.
        report: called as work proceeds.
    """

    def __init__(
        self, source: Path, pool: WeightPool, passages: Sequence[tuple[int, ...]], most: float, report: Report
    ) -> None:
        self._source, self._pool, self._architecture = source, pool, pool.manifest.architecture
        self._passages, self._most, self._report = passages, most, report
        self._shapes = linear_shapes(self._architecture)
        self._text: SearchText | None = None
        self._growths: dict[Recipe, Growth] = {}

    def choice(self) -> Choice:
        """Measures mixtures until the largest within the bound is found."""
        return self._described(self._found())

    def _found(self) -> Recipe:
        if self._most == 0:
            # Whatever is rounded costs something, be it less than can be measured.
            return self._mixture({}, None)
        if self._within(four_bits := self._mixture(dict.fromkeys(self._shapes, _FOUR_BITS), _TABLE)):
            return four_bits
        if self._within(self._with_four_bits([])):
            return self._largest(self._by_four_bits(), self._with_four_bits)
        return self._largest(self._by_eight_bits(), self._with_eight_bits)

    def _with_four_bits(self, layers: Sequence[str]) -> Recipe:
        return self._mixture(dict.fromkeys(self._shapes, _EIGHT_BITS) | dict.fromkeys(layers, _FOUR_BITS), _TABLE)

    def _with_eight_bits(self, layers: Sequence[str]) -> Recipe:
        return self._mixture(
            {name: _EIGHT_BITS for name in layers if name != EMBEDDING}, _TABLE if EMBEDDING in layers else None
        )

    def _by_four_bits(self) -> list[str]:
        return self._order(
            {name: self._mixture({name: _FOUR_BITS}, None) for name in self._shapes},
            {
                name: packed_bytes(_EIGHT_BITS, shape) - packed_bytes(_FOUR_BITS, shape)
                for name, shape in self._shapes.items()
            },
        )

    def _by_eight_bits(self) -> list[str]:
        shapes = {EMBEDDING: table_shape(self._architecture)} | self._shapes
        return self._order(
            {name: self._with_eight_bits([name]) for name in shapes},
            {
                name: packed_bytes(None, shape) - packed_bytes(_TABLE if name == EMBEDDING else _EIGHT_BITS, shape)
                for name, shape in shapes.items()
            },
        )

    def _order(self, alone: Mapping[str, Recipe], bytes_saved: Mapping[str, int]) -> list[str]:
        done = iter(range(1, len(alone) + 1))
        found = sensitivities(
            self._pool,
            self._passages,
            self._mixture({}, None),
            alone,
            lambda: self._report("comparing layers", next(done), len(alone)),
        )
        return ordered(found, bytes_saved)

    def _largest(self, order: Sequence[str], mixture: Callable[[Sequence[str]], Recipe]) -> Recipe:
        return mixture(order[: largest_within(len(order), lambda count: self._within(mixture(order[:count])))])

    def _within(self, recipe: Recipe) -> bool:
        if recipe not in self._growths:
            self._growths[recipe] = self._growth(recipe)
            self._report("measuring mixtures", len(self._growths), self._most_measured)
        return self._growths[recipe].at_most <= self._most

    def _growth(self, recipe: Recipe) -> Growth:
        if self._text is None:
            baseline = DecoderSession(self._source, self._pool.manifest, prepack=False)
            self._text = SearchText(self._passages, baseline)
        return self._text.growth(self._pool.open(recipe, prepack=True))

    @property
    def _most_measured(self) -> int:
        # All in four bits, all in eight, and a bisection of the linear layers and the table.
        return 2 + (len(self._shapes) + 1).bit_length()

    def _mixture(self, layers: Mapping[str, Packing], table: Packing) -> Recipe:
        overrides = {name: layers.get(name) for name in self._shapes}
        return Recipe(
            name=NAME,
            summary="each layer as small as the model's answers allow",
            precision=mixture_precision(set(overrides.values()), table),
            body=_EIGHT_BITS,
            table=table,
            max_perplexity_increase=self._most,
            overrides=MappingProxyType(overrides),
        )

    def _described(self, recipe: Recipe) -> Choice:
        return Choice(
            recipe=recipe,
            growth=self._growths.get(recipe),
            bytes_a_step=bytes_a_step(self._architecture, recipe),
            float32_bytes_a_step=bytes_a_step(self._architecture, self._mixture({}, None)),
            num_measured=len(self._growths),
        )


def largest_within(count: int, within: Callable[[int], bool]) -> int:
    """The largest of 0 to `count` that is within bounds, by bisection; 0 is known to be.

    Where chance has a smaller one fail and a larger one pass, it is one of those whose successor fails.
    """
    good, bad = 0, count + 1
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if within(middle) else (good, middle)
    return good
