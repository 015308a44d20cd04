"""The cost that a fit states before it begins: renders as they then are, and a measurement that changes nothing."""

from collections import deque
from functools import partial

import numpy as np
import pytest
import torch
from quick import quick

import scenefit as sf
from scenefit.inference.cost import Cost, fit_cost
from scenefit.inference.npe import update
from scenefit.inference.npe.method import Npe
from scenefit.nets.maximum_likelihood import fit_distribution


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Few renders for corrections and few steps of fitting densities, whose numbers the settings do not change."""
    monkeypatch.setattr("scenefit.inference.npe.method.COMPARED", 40)
    monkeypatch.setattr("scenefit.inference.npe.method.COMPARED_SMALL", 64)
    monkeypatch.setattr("scenefit.inference.cost.MOST", 16)
    monkeypatch.setattr(update, "fit_distribution", partial(fit_distribution, steps=2))


def world(size, count):
    """Grammar, renderer and photos of discs: count of them in an image, or one always."""
    height, width = size
    grammar = sf.Grammar("image", {
        "image": {"shade": sf.learned(sf.Uniform(0, 0.5))},
        "disc": {"x": sf.Uniform(0, width), "y": sf.Uniform(0, height), "radius": sf.learned(sf.Uniform(2, 5)),
                 "red": 1}},
        [sf.Rule("image", ["disc" if count is None else sf.repeat("disc", sf.learned(sf.Integer(0, count)))])])
    renderer = sf.Shapes(size, {"disc": {}})
    return grammar, renderer, sf.Photos(sf.render(renderer, grammar.sample(9, 50)).images)


def settings(rounds, **changes):
    return quick(Npe(rounds, 64, 2), validation_renders=32, descent__steps=0, **changes)


def taken(grammar, renderer, photos, chosen):
    return deque(sf.fit_steps(grammar, renderer, photos, settings=chosen), maxlen=1)[0]


@pytest.mark.parametrize(("size", "count", "rounds", "most"), [((16, 16), None, 1, None), ((40, 24), 4, 2, 400)])
def test_renders_are_as_stated(size, count, rounds, most):
    """The second world's budget has no room for its second round."""
    parts, chosen = world(size, count), settings(rounds, max_renders=most)
    cost = fit_cost(*parts, settings=chosen)
    assert cost.renders == taken(*parts, chosen).renders
    assert most is None or cost.renders <= most
    assert 0 < cost.cpu_seconds < 120 and 100 * 2**20 < cost.memory < 8 * 2**30


def test_the_measurement_changes_no_byte():
    parts, chosen = world((24, 32), 2), settings(2)
    torch.manual_seed(0)
    first, state = taken(*parts, chosen), torch.get_rng_state()
    torch.manual_seed(0)
    assert fit_cost(*parts, settings=chosen).renders == first.renders, "of two rounds"
    alone, after = first.state, taken(*parts, chosen).state
    times = {"cpu_seconds", "seconds"}
    assert alone.keys() == after.keys() and torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(alone[name], after[name]) or alone[name].isnan().any() for name in alone.keys() - times)


def test_maps_of_photos_are_counted_once(monkeypatch):
    """Where they are held over the rounds: for more photos than a round's renders they are not."""
    def timed(call):
        call()
        return 0.0

    monkeypatch.setattr("scenefit.inference.cost._timed", timed)
    monkeypatch.setattr("scenefit.inference.cost._networks", lambda *_: ((0.0, 0.0), 1.0, (0.0, 0.0)))  # 1 s a map
    (grammar, renderer, photos), chosen = world((24, 32), 2), settings(3)
    more = sf.Photos(np.concatenate([photos.images, photos.images]))
    held, again = (fit_cost(grammar, renderer, each, settings=chosen).cpu_seconds for each in (photos, more))
    assert again - held == pytest.approx(2 * len(photos))


def test_other_methods_state_renders_alone():
    parts, chosen = world((16, 16), None), quick()
    cost = fit_cost(*parts, settings=chosen)
    assert cost.cpu_seconds is None and taken(*parts, chosen).renders <= cost.renders
    assert cost.text == f"This fit will take at most {cost.renders:,} renders."


def test_the_text_has_units():
    assert Cost(2500, 40.2, 3 * 2**29).text == (
        "This fit will take at most 2,500 renders, about 40 CPU seconds, 1.5 GB of memory.")
    assert "about 5 CPU minutes" in Cost(2500, 305.0, 2**30).text
