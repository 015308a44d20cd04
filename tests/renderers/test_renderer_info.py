import dataclasses

import numpy as np
import pytest

import scenefit as sf
from scenefit.renderers import RenderError, RendererTypeError, render, renderer_info
from scenefit.renderers.batches import frame_size
from scenefit.renderers.processes import Pool

GRAMMAR = sf.Grammar("image", {"image": {}, "dot": {"x": sf.learned(sf.Uniform(0, 8))}}, [sf.Rule("image", ["dot"])])
SCENES = GRAMMAR.sample(0, 3)


def blank(scenes):
    return sf.make_frames(scenes, np.zeros((len(scenes), 6, 8)))


def test_a_plain_function_has_empty_info():
    info = renderer_info(blank)
    assert (info.size, info.draw, info.attributes, tuple(info.parts), info.device, info.to) == (
        None, None, None, (), "cpu", None) and not info.differentiable
    assert frame_size(GRAMMAR, blank) == (6, 8)


def test_functions_and_classes_carry_info():
    @sf.each
    def drawn(scene):
        raise AssertionError("its size is known")

    drawn.info = sf.RendererInfo(size=(6, 8))

    class Blank:
        info = sf.RendererInfo(size=(6, 8))

        def __call__(self, scenes):
            return blank(scenes)

    for renderer in (drawn, Blank()):
        assert renderer_info(renderer) is renderer.info and frame_size(GRAMMAR, renderer) == (6, 8)
    assert render(Blank(), SCENES).images.shape == (3, 6, 8, 3)


def test_info_of_the_renderers_that_come_along():
    sprites = sf.Sprites((6, 8), {"dot": np.ones((1, 2, 2))})
    shapes = sf.Shapes((6, 8), {"dot": {}, "hole": {}}, parts=["hole"])
    for renderer in (sprites, shapes):
        info = renderer_info(renderer)
        assert info.size == (6, 8) and info.differentiable and info.draw == renderer.draw and info.device == "cpu"
        moved = info.to("meta")
        assert type(moved) is type(renderer) and moved.device == renderer_info(moved).device == "meta"
    assert renderer_info(shapes).parts == ["hole"] and "radius" in renderer_info(shapes).attributes("image")["dot"]


def test_a_pool_passes_info_on():
    info = sf.RendererInfo(size=(6, 8), parts=("hole",))
    assert renderer_info(Pool("scene.py", info=info)) is info and renderer_info(Pool("scene.py")).size is None


def test_info_that_does_not_fit():
    blank_too = dataclasses.make_dataclass("Blank", [("info", object)])((6, 8))
    with pytest.raises(TypeError, match=r"Blank.info must be a scenefit.RendererInfo, got tuple"):
        renderer_info(blank_too)
    with pytest.raises(RendererTypeError, match=r"Blank.info must be"):  # the command line shows it as it is
        renderer_info(blank_too)
    with pytest.raises(ValueError, match=r"RendererInfo needs size=\(height, width\), both whole numbers >= 1, got 8"):
        sf.RendererInfo(size=8)


@pytest.mark.parametrize(("change", "text"), [
    ({"pixels": {}}, "must return pixels with 'instances', .*; scenefit.make_frames fills in what is not given"),
    ({"pixels": None}, "must return pixels with 'instances'"),
    ({"nodes": {}}, "must return nodes with the 'class' of image, dot; scenefit.make_frames"),
    ({"nodes": {"class": {"dot": np.array(["dot"] * 3)}}}, "must return nodes with the 'class' of image;")])
def test_frames_that_lack_what_all_have(change, text):
    with pytest.raises(RenderError, match=text):
        render(lambda scenes: dataclasses.replace(blank(scenes), **change), SCENES)


def test_frames_need_not_name_extents_that_the_renderer_does_not_give():
    frames = render(lambda scenes: dataclasses.replace(blank(scenes), nodes={"class": blank(scenes).classes}), SCENES)
    assert len(frames.objects) == 0 and not frames.amodal and not frames.area and not frames.inside
