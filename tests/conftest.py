"""Shared by all tests: threads, hypothesis settings, two small grammars, a folder with a scene file and photos."""

import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Angle, Choice, Integer, Normal, Uniform, learned

settings.register_profile("scenefit", deadline=None, max_examples=60, database=None)
settings.load_profile("scenefit")
# A shell that starts tests in the background has them ignore Ctrl+C, and every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """One thread, so that tests do not fight over the cores; torch is imported by then if any test needs it."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(scope="session")
def coins() -> Grammar:
    """Two levels, one kind of child, nothing conditional."""
    return Grammar("table", {"table": {"shade": learned(Uniform(0, 80))},
                             "coin": {"x": learned(Uniform(8, 56)), "r": Uniform(3, 8)}},
                   [Rule("table", [repeat("coin", learned(Integer(1, 6)))])])


@pytest.fixture(scope="session")
def street() -> Grammar:
    """Three levels, two kinds of parents, every sort of prior, priors that depend on ancestors."""
    return Grammar("road", {
        "road": {"width": learned(Uniform(6, 12)), "light": Choice(["day", "night"], [3, 1])},
        "lane": {"offset": learned(lambda lane: Uniform(-lane.parent["width"], lane.parent["width"]))},
        "verge": {"offset": Uniform(20, 30)},
        "car": {"side": learned(lambda car: Normal(car.parent["offset"], 2.0), bounds=(-40, 40)),
                "length": Normal(4, 0.5, low=3, high=6),
                "gap": lambda car: Uniform(car["length"], 2 * car["length"]),
                "room": lambda car: Uniform(0, car.parent.parent["width"]),
                "yaw": learned(Angle(170, 20)),
                "doors": learned(Integer(2, 5)),
                "colour": learned(Choice(["red", "grey", "blue"]))}},
        [Rule("road", [repeat("lane", Integer(1, 3)), "verge"]),
         Rule("lane", [repeat("car", learned(Integer(0, 4)))], weight=3, learned=True),
         Rule("lane", [], weight=1, learned=True),
         Rule("verge", ["car"])])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scene.py, real/ and few/, as `blobs.make` writes them."""
    from blobs import make  # imports torch, which most tests do without

    return make(tmp_path_factory.mktemp("world"))
