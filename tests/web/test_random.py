from pathlib import Path

from biogpt_onnx.runtime.decoding.selection.sampler import generators
from makers.web import answer


def test_a_seed_gives_the_numbers_that_it_gives_in_python(modules: Path) -> None:
    seeds = [0, 1, 5, 2**32 - 1, 2**32, 2**32 + 7, 2**53 - 1]
    found = answer(modules, "random", seeds=seeds, count=40)
    for seed, numbers in zip(seeds, found, strict=True):
        (generator,) = generators(seed, 1)
        assert numbers == [generator.random() for _ in range(40)]
