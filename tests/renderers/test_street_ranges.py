"""docs/street_ranges.md and scenes/street.py: each range of the root has a row, with the same ends."""

import re
from pathlib import Path

import numpy as np
import pytest

from scenefit.renderers.scene_file import load_scene
from scenefit.scenes.priors import Choice

ROOT = Path(__file__).parents[2]
street = load_scene(ROOT / "scenes" / "street.py").module
ROWS = re.findall(r"^\| (`.*?) \| (.*?) \| (.*) \|$", (ROOT / "docs" / "street_ranges.md").read_text(), re.M)
RANGES = {name: (ends, source) for names, ends, source in ROWS for name in re.findall(r"`(\w+)`", names)}


def ends(attribute):
    """Lowest and highest value of a prior of the root; of one that depends on the scenario, of all scenarios."""
    if attribute.name in street.RESIDENTIAL:
        low, high = np.transpose([ranges[attribute.name] for ranges in street.SCENARIOS.values()])
        return low.min(), high.max()
    return attribute.prior.bounds


def documented():
    """Attributes of the root that have a range of numbers: not names, computed values and counts."""
    for name, attribute in street.grammar.attributes["street"].items():
        computed = attribute.conditional and name not in street.RESIDENTIAL
        if not (computed or attribute.count or isinstance(attribute.prior, Choice)):
            yield name


@pytest.mark.parametrize("name", list(documented()))
def test_the_page_has_the_range(name):
    text, source = RANGES[name]
    assert source
    if text == "any":
        assert street.grammar.attributes["street"][name].form == "angle"
    else:
        low, high = (float(end) for end in text.split(" to "))
        found = ends(street.grammar.attributes["street"][name])
        assert (low, high) == pytest.approx(found) or (high == 1 and low <= found[0] and found[1] <= high), name


def test_the_page_names_nothing_that_is_gone():
    assert len(RANGES) > 40 and set(RANGES) <= set(street.grammar.attributes["street"])
