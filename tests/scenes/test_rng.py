"""Numbers depend on where they stand, and on nothing else."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scenefit.scenes.rng import derive_seed, fold_in, generator, name_hash, scene_address, uniform

whole64 = st.integers(0, 2**64 - 1)


def test_golden_values() -> None:
    """Were one of these to change, every seed of every user would mean other scenes."""
    assert int(name_hash("x")) == 5717441744405258058
    assert int(fold_in(1, 2)) == 10905525725756348110
    scenes = scene_address(0, [0, 1, 4711])
    assert scenes.tolist() == [6226249254363043604, 6461166367792674184, 5932877897670448648]
    assert uniform(scenes, "x").tolist() == [0.7027515444257438, 0.43207645715925025, 0.9803268610049413]
    assert generator(scene_address(0, 0), "noise").integers(0, 1000, 4).tolist() == [858, 477, 717, 263]
    assert derive_seed(0, "features") == 4946523895225530801


def test_mix_is_the_finaliser_of_splitmix64() -> None:
    """The first outputs of SplitMix64 from seed 1234567, as published with its reference code."""
    state = (1234567 + 0x9E3779B97F4A7C15) % 2**64
    assert int(fold_in(0, state)) == 6457827717110365317
    assert int(fold_in(1, state)) == 3203168211198807973


def test_uniform_is_uniform() -> None:
    scenes = scene_address(0, np.arange(200_000))
    assert stats.kstest(uniform(scenes, "x"), "uniform").pvalue > 1e-3
    nodes = fold_in(fold_in(scenes[:1000, None], name_hash("coin")), np.arange(200))
    assert stats.kstest(uniform(nodes, "x").ravel(), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("bits", [0, 1, 2**63, 2**64 - 1])
def test_uniform_is_never_0_or_1(bits: int) -> None:
    """Even where the hash is at its ends: the address is chosen so that mixing gives exactly these bits."""
    address = _unmix(bits, int(name_hash("x")))
    assert int(fold_in(address, name_hash("x"))) == bits
    assert 0.0 < float(uniform(address, "x")) < 1.0


def _unmix(result: int, b: int) -> np.uint64:
    """a with mix(a, b) == result."""
    def unshift(z: int, by: int) -> int:
        out = z
        for _ in range(64 // by + 1):
            out = z ^ (out >> by)
        return out

    z = unshift(result, 31)
    z = unshift(z * pow(0x94D049BB133111EB, -1, 2**64) % 2**64, 27)
    z = unshift(z * pow(0xBF58476D1CE4E5B9, -1, 2**64) % 2**64, 30)
    return np.uint64((z - b) * pow(0x9E3779B97F4A7C15, -1, 2**64) % 2**64)


def test_numbers_are_independent_across_names_scenes_seeds_and_nodes() -> None:
    n = 50_000
    scenes = scene_address(0, np.arange(n))
    node = fold_in(scenes, name_hash("coin"))
    streams = np.stack([uniform(scenes, "x"), uniform(scenes, "y"), uniform(scenes, "x2"),
                        uniform(scene_address(0, np.arange(n) + 1), "x"), uniform(scene_address(1, np.arange(n)), "x"),
                        uniform(scene_address(2**63, np.arange(n)), "x"),
                        uniform(fold_in(node, 0), "x"), uniform(fold_in(node, 1), "x"), uniform(fold_in(fold_in(node,
                                                                                                                0), 1),
                                                                                                "x")])
    streams[3, :-1], streams[3, -1] = streams[3, 1:], 0.5  # else it is stream 0, moved by one
    away = np.corrcoef(streams) - np.eye(len(streams))
    assert np.abs(away).max() < 5 / np.sqrt(n)


def test_addresses_do_not_collide() -> None:
    seeds, index, child = np.meshgrid(np.arange(8), np.arange(100), np.arange(100), indexing="ij")
    scenes = np.stack([scene_address(int(seed), np.arange(100)) for seed in range(8)])
    nodes = fold_in(fold_in(scenes[seeds, index], name_hash("coin")), child)
    assert len(np.unique(nodes)) == nodes.size
    assert not set(nodes.ravel()[:1000].tolist()) & set(scenes.ravel().tolist())


@given(whole64, st.lists(st.integers(0, 2**40), min_size=1, max_size=20), st.text(max_size=8))
def test_batch_and_order_do_not_matter(seed: int, indices: list[int], name: str) -> None:
    together = uniform(scene_address(seed, indices), name)
    alone = [float(uniform(scene_address(seed, index), name)) for index in indices]
    assert together.tolist() == alone
    assert uniform(scene_address(seed, indices[::-1]), name).tolist() == alone[::-1]


def test_another_process_with_another_hash_seed_agrees() -> None:
    code = ("from scenefit.scenes.rng import *; print(uniform(scene_address(3, [4711]), 'x')[0].hex(), "
            "generator(scene_address(3, 4711), 'noise').integers(0, 2**60), derive_seed(3, 'a'))")
    said = {subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed},
                           capture_output=True, text=True, check=True).stdout.strip() for seed in ("1", "2")}
    here = (uniform(scene_address(3, [4711]), "x")[0].hex(),
            generator(scene_address(3, 4711), "noise").integers(0, 2**60), derive_seed(3, "a"))
    assert said == {" ".join(map(str, here))}


def test_generators_are_apart() -> None:
    address = scene_address(0, [0, 1])
    draws = {tuple(generator(a, name).integers(0, 2**60, 3)) for a in address for name in ("noise", "blur")}
    assert len(draws) == 4
    assert generator(address[0], "noise").normal() == generator(address[0], "noise").normal()


@given(whole64, st.text(max_size=8))
def test_derived_seeds_fit_in_63_bits(seed: int, name: str) -> None:
    assert 0 <= derive_seed(seed, name) < 2**63
    assert derive_seed(seed, name) != derive_seed(seed, name + "'")


@pytest.mark.parametrize("seed", [-1, 2**64, 0.5, 1.0, "0", None, True])
def test_bad_seeds(seed: object) -> None:
    with pytest.raises(ValueError, match=r"a seed must be an integer in 0\.\.2\*\*64 - 1, got "):
        scene_address(seed, 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a seed must be an integer"):
        derive_seed(seed, "x")  # type: ignore[arg-type]


def test_seed_0_and_the_largest_are_seeds() -> None:
    assert len({int(scene_address(seed, 0)) for seed in (0, 1, np.int64(2), 2**64 - 1)}) == 4
