"""Scenes of a learned distribution, some of them with the appearance of the prior, some wholly of the prior."""

import numpy as np
import pytest

import scenefit as sf
from scenefit.generation.randomised import RandomisedModel, with_appearance_of_prior
from scenefit.nets.model import Model
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers import batches
from scenefit.scenes.join import join_scenes
from tests.toys import randomise

TINTS = ["pink", "blue"]


def grammar(low=0.0):
    """Discs of a learned brightness and tint, each with a learned number of spots below it."""
    return sf.Grammar("dish", {
        "dish": {"lamp": sf.learned(sf.Uniform(0, 1))},
        "disc": {"x": sf.Uniform(4, 28), "y": sf.Uniform(4, 28), "radius": sf.learned(sf.Uniform(2, 6)),
                 "bright": sf.learned(sf.Uniform(low, 1)), "tint": sf.learned(sf.Choice(TINTS)),
                 "red": lambda node: sf.Constant(node["bright"] * node.parent["lamp"])},
        "spot": {"angle": sf.learned(sf.Angle()), "x": lambda node: sf.Constant(node.parent["x"] + 1),
                 "y": lambda node: sf.Constant(node.parent["y"]), "radius": 1}},
        [sf.Rule("dish", [sf.repeat("disc", sf.learned(sf.Integer(0, 4)))]),
         sf.Rule("disc", [sf.repeat("spot", sf.learned(sf.Integer(0, 2)))])])


def renderer():
    return sf.Shapes((32, 32), {"disc": {}, "spot": {}})


def learned():
    """A model whose scenes are not those of the prior."""
    distribution = SceneDistribution(grammar(), 0)
    randomise(distribution)
    return Model(distribution, 3)


def same(one, other, rows):
    """Whether scenes `rows` of one batch are those of the other, in their order."""
    for kind in one.kinds:
        a, b = one.tables[kind], other.tables[kind]
        for row, at in enumerate(rows):
            for name in a:
                assert np.array_equal(np.asarray(a[name])[a.scene == at], np.asarray(b[name])[b.scene == row])


def test_joined_scenes_are_the_same_as_at_once():
    tree = grammar()
    every, parts = tree.sample(5, 12), [tree.sample(5, rows) for rows in ([0, 3, 7], [1, 2, 11], [4, 5, 6, 8, 9, 10])]
    joined = join_scenes([parts[1], parts[0], parts[2]])
    assert joined.index.tolist() == list(range(12)) and joined.seed == every.seed
    for kind in every.kinds:
        for name in ("scene", "id", "depth", "parent_kind", "parent_row", "address", "rule"):
            assert np.array_equal(getattr(every.tables[kind], name), getattr(joined.tables[kind], name)), (kind, name)
    same(every, joined, range(12))
    assert np.array_equal(sf.render(renderer(), every).images, sf.render(renderer(), joined).images)
    with pytest.raises(ValueError, match="same index"):
        join_scenes([parts[0], parts[0]])
    with pytest.raises(ValueError, match="same seed"):
        join_scenes([parts[0], tree.sample(6, [1])])


def test_appearance_is_what_moves_no_box():
    found = sf.find_appearance(grammar(), renderer())
    assert found == {("dish", "lamp"), ("disc", "bright"), ("disc", "tint"), ("spot", "angle")}


def test_appearance_is_found_a_few_renders_at_a_time(monkeypatch):
    drawn = []
    plain = renderer()

    def counting(scenes):
        drawn.append(len(scenes))
        return plain(scenes)

    counting.info = plain.info
    every = sf.find_appearance(grammar(), counting)
    monkeypatch.setattr(batches, "PIXELS", 5 * 32 * 32)
    drawn.clear()
    assert sf.find_appearance(grammar(), counting) == every and max(drawn) <= 5


def test_only_the_appearance_is_drawn_from_the_prior():
    tree, keys = grammar(), frozenset({("disc", "bright"), ("disc", "tint")})
    scenes = grammar(0.9).sample(1, 30)  # bright ones
    changed = with_appearance_of_prior(tree, scenes, keys)
    for kind, name in (("disc", "radius"), ("dish", "lamp"), ("spot", "angle"), ("dish", "n_disc")):
        assert np.allclose(scenes.tables[kind][name], changed.tables[kind][name])
    assert scenes.tables["disc"]["bright"].min() > 0.9 and changed.tables["disc"]["bright"].min() < 0.3
    disc = changed.tables["disc"]
    assert np.allclose(disc["red"], disc["bright"] * changed.tables["dish"]["lamp"][disc.scene]), "what depends on it"


def test_shares_and_that_a_scene_depends_on_its_index_alone():
    model, keys = learned(), frozenset({("disc", "bright"), ("disc", "tint")})
    mixed = RandomisedModel(model, keys, appearance=0.5, prior=0.25)
    every = mixed.sample(400)
    plain, prior = model.sample(400), model.grammar.sample(every.seed, 400)
    assert every.index.tolist() == list(range(400))
    lamp = {name: np.asarray(scenes.tables["dish"]["lamp"]) for name, scenes in (("mixed", every), ("plain", plain),
                                                                               ("prior", prior))}
    assert abs((lamp["mixed"] == lamp["prior"]).mean() - 0.25) < 0.07 and not (lamp["plain"] == lamp["prior"]).any()
    kept = np.isin(plain.tables["disc"]["bright"], every.tables["disc"]["bright"])
    assert abs(kept.mean() - 0.25) < 0.07, "discs of scenes of neither sort"
    same(every, mixed.sample([17, 3, 399]), [17, 3, 399])
    wholly = RandomisedModel(model, keys, prior=1.0).sample(6)
    same(prior, wholly, range(6))
    same(plain, RandomisedModel(model, keys).sample(6), range(6))
    assert mixed.settings() == {"appearance": 0.5, "prior": 0.25, "attributes": ["disc.bright", "disc.tint"]}


@pytest.mark.parametrize(("shares", "text"), [((1.5, 0), r"appearance\) is a share in 0..1"),
                                              ((0.7, 0.6), "may be 1 together")])
def test_wrong_shares(shares, text):
    with pytest.raises(ValueError, match=text):
        RandomisedModel(learned(), frozenset(), *shares)
