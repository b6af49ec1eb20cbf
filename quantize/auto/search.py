"""Search for the smallest mixed-precision recipe whose perplexity increases by no more than is allowed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from biogpt_onnx.quantize.auto.mixed_precision import bytes_a_step, overall_precision, table_shape
from biogpt_onnx.quantize.auto.passages import PerplexityComparison, PerplexityIncrease
from biogpt_onnx.quantize.auto.sensitivity import least_sensitive_first, sensitivities
from biogpt_onnx.quantize.auto.weight_pool import WeightPool
from biogpt_onnx.quantize.packing.layer_packing import LayerPacking, packed_bytes
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.quantize.recipes import EMBEDDING, RECIPES, Recipe
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle.linear_layers import linear_shapes

NAME = "auto"

Report = Callable[[str, int, int], None]
"""Called with the kind of work that is being done, how much of it is done, and how much there is."""

_EIGHT_BITS = Rows(bits=7)

_FOUR_BITS = RECIPES["int4"].body
_TABLE = Rows(bits=8)


@dataclass(frozen=True)
class Choice:
    """Result of the search.

    Attributes:
        recipe: recipe that was chosen.
        perplexity_increase: its increase of perplexity on the text that was searched with; None where it quantizes
            nothing.
        bytes_a_step: bytes of matrices that a step of one token reads.
        float32_bytes_a_step: bytes of matrices that a step of one token of the float32 bundle reads.
        num_measured: recipes whose increase of perplexity was measured.
    """

    recipe: Recipe
    perplexity_increase: PerplexityIncrease | None
    bytes_a_step: int
    float32_bytes_a_step: int
    num_measured: int


class MixedPrecisionSearch:
    """Search that gives each layer four bits where possible, else eight, and float32 where even those cost too much.

    It mixes two precisions at a time, so that it can order the layers by their sensitivity and bisect along this order.
    Only measured recipes are chosen, because the errors of several layers add up in ways that no single layer shows.

    Args:
        source: float32 bundle.
        pool: its weights, smoothed.
        passages: token ids to search with, at least two sequences.
        max_perplexity_increase: largest increase of perplexity, as a share.
        report: called as work proceeds.
    """

    def __init__(
        self,
        source: Path,
        pool: WeightPool,
        passages: Sequence[tuple[int, ...]],
        max_perplexity_increase: float,
        report: Report,
    ) -> None:
        self._source, self._pool, self._architecture = source, pool, pool.manifest.architecture
        self._passages, self._max_increase, self._report = passages, max_perplexity_increase, report
        self._shapes = linear_shapes(self._architecture)
        self._comparison: PerplexityComparison | None = None
        self._increases: dict[Recipe, PerplexityIncrease] = {}

    def choice(self) -> Choice:
        """Measures recipes until the one with the most layers in the smaller precision is found."""
        recipe = self._search()
        return Choice(
            recipe=recipe,
            perplexity_increase=self._increases.get(recipe),
            bytes_a_step=bytes_a_step(self._architecture, recipe),
            float32_bytes_a_step=bytes_a_step(self._architecture, self._recipe({}, None)),
            num_measured=len(self._increases),
        )

    def _search(self) -> Recipe:
        if self._max_increase == 0:
            # All rounding costs something, be it less than can be measured.
            return self._recipe({}, None)
        if self._is_good(four_bits := self._recipe(dict.fromkeys(self._shapes, _FOUR_BITS), _TABLE)):
            return four_bits
        if self._is_good(self._with_four_bits([])):
            return self._largest(self._order_for_four_bits(), self._with_four_bits)
        return self._largest(self._order_for_eight_bits(), self._with_eight_bits)

    def _with_four_bits(self, layers: Sequence[str]) -> Recipe:
        return self._recipe(dict.fromkeys(self._shapes, _EIGHT_BITS) | dict.fromkeys(layers, _FOUR_BITS), _TABLE)

    def _with_eight_bits(self, layers: Sequence[str]) -> Recipe:
        return self._recipe(
            {name: _EIGHT_BITS for name in layers if name != EMBEDDING}, _TABLE if EMBEDDING in layers else None
        )

    def _order_for_four_bits(self) -> list[str]:
        return self._order(
            {name: self._recipe({name: _FOUR_BITS}, None) for name in self._shapes},
            {
                name: packed_bytes(_EIGHT_BITS, shape) - packed_bytes(_FOUR_BITS, shape)
                for name, shape in self._shapes.items()
            },
        )

    def _order_for_eight_bits(self) -> list[str]:
        shapes = {EMBEDDING: table_shape(self._architecture)} | self._shapes
        return self._order(
            {name: self._with_eight_bits([name]) for name in shapes},
            {
                name: packed_bytes(None, shape) - packed_bytes(_TABLE if name == EMBEDDING else _EIGHT_BITS, shape)
                for name, shape in shapes.items()
            },
        )

    def _order(self, single_layers: Mapping[str, Recipe], bytes_saved: Mapping[str, int]) -> list[str]:
        done = iter(range(1, len(single_layers) + 1))
        found = sensitivities(
            self._pool,
            self._passages,
            self._recipe({}, None),
            single_layers,
            lambda: self._report("comparing layers", next(done), len(single_layers)),
        )
        return least_sensitive_first(found, bytes_saved)

    def _largest(self, order: Sequence[str], recipe: Callable[[Sequence[str]], Recipe]) -> Recipe:
        return recipe(order[: largest_within(len(order), lambda count: self._is_good(recipe(order[:count])))])

    def _is_good(self, recipe: Recipe) -> bool:
        if recipe not in self._increases:
            self._increases[recipe] = self._measure(recipe)
            self._report("measuring mixtures", len(self._increases), self._most_measured)
        return self._increases[recipe].upper_bound <= self._max_increase

    def _measure(self, recipe: Recipe) -> PerplexityIncrease:
        if self._comparison is None:
            # Not kept in a variable, so that the float32 weights are unmapped before the mixture opens.
            self._comparison = PerplexityComparison(
                self._passages, DecoderSession(self._source, self._pool.manifest, self._pool.options, as_stored=True)
            )
        return self._comparison.increase(self._pool.open(recipe, prepack=True))

    @property
    def _most_measured(self) -> int:
        # All in four bits, all in eight, and a bisection of the linear layers and the table.
        return 2 + (len(self._shapes) + 1).bit_length()

    def _recipe(self, layers: Mapping[str, LayerPacking], table: LayerPacking) -> Recipe:
        overrides = {name: layers.get(name) for name in self._shapes}
        return Recipe(
            name=NAME,
            summary="each layer as small as the model's answers allow",
            precision=overall_precision(set(overrides.values()), table),
            body=_EIGHT_BITS,
            table=table,
            max_perplexity_increase=self._max_increase,
            overrides=MappingProxyType(overrides),
        )


def largest_within(count: int, within: Callable[[int], bool]) -> int:
    """Finds the largest number from 0 to `count` that is within bounds, by bisection; 0 is taken to be.

    Where chance has a smaller number fail and a larger one pass, it returns a number whose successor fails.
    """
    good, bad = 0, count + 1
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if within(middle) else (good, middle)
    return good
