"""Angles whose direction was confused are turned by half a turn where renders then are nearer to the photos."""

import numpy as np
import pytest

from scenefit.data.photos import as_photos
from scenefit.inference.npe import turns
from scenefit.inference.npe.posterior import PosteriorSamples
from scenefit.inference.npe.turns import angles, turned_where_nearer
from scenefit.inference.npe.update import update
from scenefit.inference.stages.problem import Budget, Problem
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers import render
from scenefit.renderers.each import each
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.priors import Angle, Uniform, learned


def world(angle) -> Grammar:
    return Grammar("image", {"image": {"angle": learned(angle), "shade": learned(Uniform(0.4, 0.6))}}, [])


@each
def wedge(scene):
    """A bright half of the image, on the side that the angle says."""
    y, x = np.mgrid[:16, :16] - 7.5
    turn = np.deg2rad(scene.root.angle)
    return scene.root.shade + 0.3 * np.sign(x * np.cos(turn) - y * np.sin(turn))[..., None].repeat(3, 2)


def pixels(images):
    return images.flatten(1)


@pytest.mark.parametrize("wrong", [True, False])
def test_samples_are_turned_where_renders_then_are_nearer(wrong, monkeypatch):
    monkeypatch.setattr(turns, "MEASURED", 100 * 16**2)  # several chunks of renders
    photos = render(wedge, world(Angle(60, 8)).sample(3, 32)).images
    problem = Problem(world(Angle()), wedge, as_photos(photos, (16, 16)), None, None, pixels, None, Budget(64), 0)
    scenes = world(Angle(60 + 180 * wrong, 8)).sample(5, 64)
    samples = PosteriorSamples(scenes, np.arange(64), frozenset({("image", "angle")}), {}, 0)
    distribution = update(SceneDistribution(problem.grammar, 0), samples, 0)
    found = turned_where_nearer(problem, distribution, samples, angles(problem.grammar, ["image"]), 1024, 1)
    off = (found.scenes.tables["image"]["angle"] - 60 + 180) % 360 - 180
    assert np.abs(off).max() < 40
    assert (found is samples) == (not wrong)
    np.testing.assert_allclose(found.scenes.tables["image"]["shade"], scenes.tables["image"]["shade"], atol=1e-9)
