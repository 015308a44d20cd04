"""Addressed random numbers: an attribute's number is a function of its position, not of when it is sampled.

An address is a uint64 key, as in JAX and Gen. Scene 4711 is the same in any batch, in any order and with any number of
workers, because its numbers are hashes of (seed, scene index, node, attribute name). The mixer is the finaliser of
SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
"""

import hashlib
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Address = NDArray[np.uint64]


@lru_cache(maxsize=4096)
def name_hash(name: str) -> np.uint64:
    """Stable across processes, unlike `hash`."""
    return np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))


def fold_in(a: Any, b: Any) -> Address:
    """Address of part b inside a; arrays broadcast."""
    with np.errstate(over="ignore"):
        z = np.asarray(a, np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.asarray(b, np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def scene_address(seed: int, index: Any) -> Address:
    """Address of each scene [S]. ValueError unless seed is an integer in 0..2**64 - 1."""
    return fold_in(fold_in(np.uint64(0x5CE7EF17), _seed(seed)), np.asarray(index, np.uint64))


def uniform(address: Address, name: str) -> NDArray[np.float64]:
    """One number in (0, 1) for each address [n]: never 0, never 1."""
    bits = fold_in(address, name_hash(name)) >> np.uint64(12)  # 52 bits, so that adding a half is exact
    return (bits.astype(np.float64) + 0.5) * 2.0**-52


def generator(address: Any, name: str) -> np.random.Generator:
    """A numpy generator for one address and purpose."""
    return np.random.Generator(np.random.Philox(key=int(fold_in(address, name_hash(name)))))


def derive_seed(seed: int, name: str) -> int:
    """A seed < 2**63 for one purpose, such as "features", so that no two purposes share random numbers."""
    return int(fold_in(_seed(seed), name_hash(name)) >> np.uint64(1))


def _seed(seed: Any) -> np.uint64:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
        raise ValueError(f"a seed must be an integer in 0..2**64 - 1, got {seed!r}")
    return np.uint64(seed)
