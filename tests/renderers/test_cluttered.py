"""Renderers with foreign objects in their images."""

import numpy as np
import pytest
from toys import dot, dots

import scenefit as sf
from scenefit.data.clutter import add_clutter
from scenefit.renderers import renderer_info, renderer_name
from scenefit.renderers.processes import Pool

SCENES = dot(sf.learned(sf.Uniform(4, 12))).sample(0, 20)


def same(one, other):
    return np.array_equal(one.images, other.images) and np.array_equal(one.instances, other.instances)


def test_it_is_the_renderer_but_for_foreign_objects():
    plain = dots()
    renderer = sf.cluttered(plain, 0.5)
    assert same(sf.render(renderer, SCENES), add_clutter(plain(SCENES), 0.5))
    assert not same(sf.render(renderer, SCENES), plain(SCENES))
    assert same(sf.render(sf.cluttered(plain, 0), SCENES), plain(SCENES))
    info = renderer_info(renderer)
    assert info.size == (16, 16) and info.device == "cpu" and info.clutter == 0.5
    assert not info.differentiable and plain.info.differentiable, "no gradient passes a foreign object"
    moved = info.to("meta")
    assert renderer_info(moved).device == "meta" and renderer_info(moved).clutter == 0.5
    shapes = sf.Shapes((6, 8), {"dot": {}, "hole": {}}, parts=["hole"])
    assert renderer_info(sf.cluttered(shapes)).parts == ["hole"]
    assert renderer_info(sf.cluttered(lambda scenes: None)).to is None


def test_errors_are_those_of_the_renderer():
    @sf.each
    def broken(scene):
        if scene.index == 7:
            raise ArithmeticError("zq7")
        return np.zeros((8, 8))

    renderer = sf.cluttered(broken, 1)
    assert renderer_name(renderer) == "broken"
    with pytest.raises(sf.RenderError, match=r"scene 7 of seed 0: .*broken raised ArithmeticError: zq7"):
        sf.render(renderer, SCENES)
    with pytest.raises(ValueError, match=r"a share in 0\.\.1 of the images, got 1.5"):
        sf.cluttered(dots(), 1.5)
    with pytest.raises(ValueError, match="renderer"):
        sf.cluttered(3)
    with pytest.raises(ValueError, match=r"has foreign objects in a share of 0.5 of its images already"):
        sf.cluttered(sf.cluttered(dots(), 0.5), 0.25)


def test_a_pool_draws_them_where_it_draws(tmp_path):
    path = tmp_path / "scene.py"
    path.write_text("from toys import dot, dots\nimport scenefit as sf\n"
                    "grammar, renderer = dot(sf.learned(sf.Uniform(4, 12))), dots()\n")
    with Pool(path, info=dots().info) as pool:
        many = sf.cluttered(pool, 0.5)
        want = add_clutter(dots()(SCENES), 0.5)
        assert same(sf.render(many, SCENES), want) and same(next(many.frames([SCENES])), want)
        assert renderer_info(many).clutter == 0.5 and renderer_info(pool).clutter == 0
        assert same(sf.render(pool, SCENES), dots()(SCENES)), "the pool is as before"
