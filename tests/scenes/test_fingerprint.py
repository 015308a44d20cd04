"""Fingerprints change when a value does, never otherwise."""

import functools
import types
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from checks import in_processes
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scenefit.scenes.fingerprint import fingerprint
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.domain_randomisation import shrunk
from scenefit.scenes.priors import Constant, Normal, Prior, Tabulated, Uniform, learned

plain = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
                     lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(plain, plain)
def test_plain_values_differ_if_and_only_if_they_do(a: Any, b: Any) -> None:
    assert (fingerprint(a) == fingerprint(b)) == (repr(a) == repr(b))


def module(source: str) -> dict[str, Any]:
    """What a scene file of this source defines."""
    made = types.ModuleType("some_scene")
    made.__dict__["np"] = np
    exec(compile(source, "some_scene.py", "exec"), made.__dict__)
    return made.__dict__


def of(source: str) -> str:
    """Fingerprint of the f that a source defines."""
    return fingerprint(module(source)["f"])


CAPTURED = "def make(k):\n    def f(n): return n + k\n    return f\nf = make({})"
DEEPER = "def f(n):\n    def inner(m): return [m + {} for _ in n]\n    return inner(n)"
GLOBAL = "SIZE = {}\nf = lambda n: n * SIZE"
HELPED = "def helper(n): return n * {}\ndef f(n): return helper(n)"
TWICE_HELPED = "K = {}\ndef g(n): return n * K\ndef helper(n): return g(n)\ndef f(n): return [helper(x) for x in n]"
OWN_CLASS = "class Mine:\n    def quantile(self, u): return u + {}\ndef f(n): return Mine()"
PROPERTY = "class Mine:\n    @property\n    def k(self): return {}\ndef f(n): return Mine().k"
STATIC = "class Mine:\n    @staticmethod\n    def k(n): return n + {}\ndef f(n): return Mine.k(n)"
PARENT_CLASS = ("class Top:\n    def quantile(self, u): return u + {}\nclass Mine(Top):\n    pass\n"
                "def f(n): return Mine()")

SOURCES = {
    "a constant": "f = lambda n: n + {}", "a default": "f = lambda n, k={}: n + k", "a captured variable": CAPTURED,
    "a default for a keyword": "def f(n, *, k={}): return n + k", "code within code": DEEPER, "a global": GLOBAL,
    "a function it calls": HELPED, "a function further down": TWICE_HELPED, "a class it makes": OWN_CLASS,
    "a class above that": PARENT_CLASS,
    "a property": PROPERTY, "a static method": STATIC, "an array": "A = np.arange({})\nf = lambda n: A[n]",
    "a captured list": "f = lambda n, k=[1, {{'a': ({},)}}]: n + k",
    "a set": "f = lambda n: n in {{1, 'a', {}}}", "a word": "f = lambda n: n['x{}']",
}


@pytest.mark.parametrize("name", SOURCES)
def test_functions_change_with(name: str) -> None:
    source = SOURCES[name]
    assert of(source.format(3)) == of(source.format(3))
    assert of(source.format(3)) != of(source.format(4))


@pytest.mark.parametrize(("one", "other"), [
    ("f = lambda n: n + 1", "f = lambda n: n - 1"),
    ("f = lambda n: n['x']", "f = lambda n: n.parent['x']"),
    ("f = lambda n: np.sin(n)", "f = lambda n: np.cos(n)"),
    ("f = lambda a, b: a - b", "f = lambda a, b: b - a"),
    ("f = lambda n: 1", "f = lambda n: 1.0"), ("f = lambda n: 1", "f = lambda n: True"),
])
def test_functions_of_other_code_differ(one: str, other: str) -> None:
    assert of(one) != of(other)


def test_where_a_function_stands_does_not_matter() -> None:
    """Neither the line, nor comments, nor the name of the file, which may be loaded under any."""
    source = "SIZE = 3\ndef helper(n): return n * SIZE\ndef f(n): return helper(n)"
    moved = types.ModuleType("other")
    exec(compile("\n\n# a comment\n" + source, "elsewhere/other.py", "exec"), moved.__dict__)
    assert fingerprint(moved.__dict__["f"]) == of(source)
    assert of("UNUSED = 4\n" + source) == of(source)


def test_calling_a_function_does_not_change_it() -> None:
    f = module("def f(n):\n    total = 0\n    for i in range(n): total += i\n    return total")["f"]
    before = fingerprint(f)
    for _ in range(200):
        f(20)  # Python rewrites code that runs often
    assert fingerprint(f) == before


def test_functions_that_know_themselves() -> None:
    source = "def f(n): return 1 if n < 1 else g(n - 1)\ndef g(n): return f(n - {})"
    assert of(source.format(1)) == of(source.format(1)) != of(source.format(2))


def test_an_empty_captured_variable() -> None:
    source = "def make():\n    def f(n): return later\n    if False: later = 1\n    return f\nf = make()"
    assert of(source) == of(source)


def test_partials_methods_and_callables() -> None:
    scene = ("import functools\ndef g(n, k): return n * k\nf = functools.partial(g, k={})",
             "class C:\n    def __init__(self, k): self.k = k\n    def m(self, n): return n * self.k\nf = C({}).m",
             "class C:\n    def __init__(self, k): self.k = k\n    def __call__(self, n): return n * self.k\nf = C({})")
    for source in scene:
        assert of(source.format(3)) == of(source.format(3)) != of(source.format(4)), source
    body = "class C:\n    def __call__(self, n): return n * {}\nf = C()"
    assert of(body.format(3)) == of(body.format(3)) != of(body.format(4))
    assert fingerprint(functools.partial(max, 3)) != fingerprint(functools.partial(min, 3))


@dataclass(frozen=True)
class Squared(Prior):
    """A user's own prior."""

    scale: float = 1.0

    def quantile(self, u: Any) -> Any:
        return self.scale * u**2


@pytest.mark.parametrize(("one", "other"), [
    (Uniform(0, 1), Uniform(0, 2)), (Uniform(0, 1), Normal(0, 1)), (Squared(1), Squared(2)),
    (Tabulated(stats.norm(0, 1)), Tabulated(stats.norm(0, 2))), (Constant("1"), Constant(1)),
    (stats.norm(loc=1), stats.norm(1, 2)),
    (stats.rv_discrete(values=([1, 2], [0.5, 0.5])), stats.rv_discrete(values=([1, 2], [0.6, 0.4]))),
    (np.arange(3), np.arange(3.0)), (np.arange(4), np.arange(4).reshape(2, 2)),
    (np.array(["a", 1], object), np.array(["a", 2], object)), (np.float64(1), np.float64(2)),
], ids=lambda v: type(v).__name__)
def test_objects(one: Any, other: Any) -> None:
    one, other = (v() if isinstance(v, stats.rv_discrete) else v for v in (one, other))
    assert fingerprint(one) == fingerprint(one) != fingerprint(other)
    assert " at 0x" not in fingerprint(one)


def test_numbers_of_numpy_are_numbers() -> None:
    assert fingerprint(np.float64(0.5)) == fingerprint(np.float32(0.5)) == fingerprint(0.5) == "0.5"
    assert fingerprint(np.int64(3)) == fingerprint(3) != fingerprint(3.0)


def test_priors_are_readable() -> None:
    assert fingerprint(Uniform(0, 64)) == "Uniform(low=0, high=64)"
    assert fingerprint(np) == " numpy"


def test_another_process_with_another_hash_seed_agrees() -> None:
    code = ("from scenefit.scenes.fingerprint import fingerprint\nfrom scipy import stats\n"
            "WORDS = {'red', 'grey', 'blue', 'green'}\n"
            "class C:\n    def m(self, n): return n in {'x', 'y', 'z', 'w'}\n"
            "def f(n, k={'p', 'q', 'r'}): return [C().m(x) for x in n if x in WORDS or x in {'a', 'b', 'c', 'd'}]\n"
            "print(fingerprint(f), fingerprint(stats.gamma(2)), fingerprint(WORDS), fingerprint(object()))")
    first, second = in_processes(code)
    assert first == second and first.startswith("function ")


@pytest.mark.parametrize(("one", "other"), [
    ("numpy import sum", "numpy import prod"), ("numpy import sin", "numpy import cos"),
    ("os.path import join", "os.path import split"), ("math import sin", "math import cos"),
    ("fractions import Fraction", "decimal import Decimal")])
def test_functions_and_classes_of_packages_count_by_name(one: str, other: str) -> None:
    source = "from {} as g\ndef f(n): return g(n)"
    assert of(source.format(one)) == of(source.format(one)) != of(source.format(other))


def test_what_functions_of_packages_capture_counts() -> None:
    """`broad` and `shrunk` wrap a grammar's own functions."""
    def wrapped(k: int) -> Any:
        grammar = Grammar("a", {"a": {"x": Uniform(0, 1), "y": learned(lambda a: Uniform(0, k + a["x"]))}})
        return shrunk(grammar).describe()

    assert wrapped(1) == wrapped(1) != wrapped(2)


def test_much_shared_functions_take_no_time() -> None:
    """Each function calls the two before it: as a tree, this would be 2**60 functions."""
    lines = ["def f0(n): return n", "def f1(n): return n + {}"]
    lines += [f"def f{i}(n): return f{i - 1}(n) + f{i - 2}(n)" for i in range(2, 60)]
    source = "\n".join([*lines, "f = f59"])
    assert of(source.format(1)) == of(source.format(1)) != of(source.format(2))


def test_values_that_hold_themselves() -> None:
    one: list[Any] = [1]
    one.append(one)
    assert fingerprint(one) == "(1, itself)"
