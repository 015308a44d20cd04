"""Checks of arguments that many functions take: a grammar, a renderer, a seed."""

from typing import Any

import numpy as np

from scenefit.scenes.arguments import check_argument
from scenefit.scenes.grammar import Grammar


def check_grammar(call: str, grammar: Any) -> None:
    """ValueError for anything but a grammar. call: as in `check_argument`."""
    check_argument(call, "grammar", grammar, isinstance(grammar, Grammar), "a scenefit.Grammar")


def check_renderer(call: str, renderer: Any) -> None:
    """ValueError for what cannot be called with scenes: a grammar, a class in place of an instance, a file's name."""
    check_argument(call, "renderer", renderer, is_function(renderer),
                   "a renderer, a function from scenes to frames: one decorated with @scenefit.each, or an instance of "
                   "scenefit.Shapes or scenefit.Sprites")


def check_seed(call: str, seed: Any) -> None:
    """ValueError unless seed is a whole number in 0..2**64 - 1."""
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    check_argument(call, "seed", seed, whole and 0 <= seed < 2**64, "a whole number in 0..2**64 - 1")


def is_function(value: Any) -> bool:
    """A function or an instance that can be called, not a class."""
    return callable(value) and not isinstance(value, type)
