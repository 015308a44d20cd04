import numpy as np
import pytest
import torch
from checks import same_alone
from scipy.ndimage import gaussian_filter

from scenefit.renderers.shapes import Shapes, focus
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Uniform

SIZE, FINE = (60, 70), 5  # pixels; samples a pixel and axis


def drawn(solid=0.5, camera=None, **kinds):
    """Image [H, W, 3] in 0..1 and frames of one node of each kind, in this order."""
    grammar = Grammar("image", {"image": {}, **{kind: {} for kind in kinds}}, [Rule("image", list(kinds))])
    renderer = Shapes(SIZE, kinds, camera={"shade": 0.9, **(camera or {})}, solid=solid)
    scenes = grammar.sample(0, 1)
    return renderer.draw(scenes)[0].permute(1, 2, 0).numpy(), renderer(scenes)


def cover(radius, elongation, hole, angle, defocus, x=35.0, y=30.0):
    """Of an ellipse with a hole out of focus: finer samples, counted, blurred by scipy and averaged."""
    down, across = ((np.arange(n * FINE) + 0.5) / FINE - at for n, at in zip(SIZE, (y, x), strict=True))
    turn = np.deg2rad(angle)
    u = across * np.cos(turn) - down[:, None] * np.sin(turn)
    v = across * np.sin(turn) + down[:, None] * np.cos(turn)
    away = np.hypot(u / np.sqrt(elongation), v * np.sqrt(elongation)) / radius
    fine = gaussian_filter(((away < 1) & (away > hole)).astype(float), defocus * FINE, truncate=6)
    return fine.reshape(SIZE[0], FINE, SIZE[1], FINE).mean(axis=(1, 3))


@pytest.mark.parametrize("look", [
    {"radius": 12.0, "elongation": 1.0, "hole": 0.0, "angle": 0.0, "defocus": 3.0},
    {"radius": 11.0, "elongation": 1.8, "hole": 0.5, "angle": 35.0, "defocus": 1.6},
    {"radius": 3.0, "elongation": 1.0, "hole": 0.0, "angle": 0.0, "defocus": 5.0}])
def test_pixels_and_masks_are_those_of_blurred_samples(look):
    share = cover(**look)
    for solid in (0.1, 0.5):
        image, frames = drawn(solid, {"shade": 0.0}, disc={"shade": 1.0, "edge": 0.6, **look})
        assert np.abs(image[..., 0] - share).max() < 0.015
        mask, expected = frames.instances[0] > 0, share > solid
        assert (mask != expected)[np.abs(share - solid) > 0.015].sum() == 0
        if expected.any():
            rows, columns = np.flatnonzero(expected.any(axis=1)), np.flatnonzero(expected.any(axis=0))
            box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
            assert frames.objects.amodal[0] == pytest.approx(box, abs=1)
            assert frames.objects.area[0] == pytest.approx(expected.sum(), rel=0.04)


def test_edge_texture_and_rim_are_blurred_as_by_a_camera_focused_elsewhere():
    look = {"radius": 15.0, "grain": 0.3, "rim": -0.5, "pallor": 0.4, "opacity": 0.8, "absorb": 0.5, "wobble": 0.1}
    alone, by_camera, sharp = (drawn(camera={"blur": blur}, disc={**look, "defocus": defocus})[0]
                               for defocus, blur in ((2.0, 0.0), (0.0, 2.0), (0.0, 0.0)))
    assert np.abs(alone - by_camera).max() < 0.005 and np.abs(sharp - by_camera).max() > 0.1
    both, more = (drawn(camera={"blur": blur}, disc={**look, "defocus": defocus})[0]
                  for defocus, blur in ((1.5, 2.0), (0.0, 2.5)))
    assert np.abs(both - more).max() < 0.005, "variances add"


def test_other_objects_stay_in_focus():
    near = {"x": 22.0, "radius": 9.0, "shade": 0.1, "sides": 4.0}
    far = {"x": 50.0, "radius": 9.0, "shade": 0.1, "sides": 4.0}
    sharp, one, other = (drawn(near={**near, "defocus": a}, far={**far, "defocus": b})[0]
                         for a, b in ((0.0, 0.0), (2.0, 0.0), (0.0, 2.0)))
    assert np.array_equal(one[:, 40:], sharp[:, 40:]) and np.array_equal(other[:, :32], sharp[:, :32])
    assert np.abs(one[:, :32] - sharp[:, :32]).max() > 0.2 and np.abs(other[:, 40:] - sharp[:, 40:]).max() > 0.2


def test_what_is_far_out_of_focus_has_no_label_unless_solid_is_low():
    for share, labels in ((0.8, 1), (0.9, 0)):
        look = {"radius": 10.0, "edge": 0.2, "defocus": share * 10.0}
        assert len(drawn(disc=look)[1].objects) == labels
        assert len(drawn(solid=0.1, disc=look)[1].objects) == 1


def test_boxes_of_cut_shapes_and_bytes_in_any_group():
    middle, cut = (drawn(disc={"radius": 8.0, "defocus": 3.0, "x": x})[1].objects for x in (35.0, 1.0))
    assert cut.amodal[0].tolist() == (middle.amodal[0] - [34, 0, 34, 0]).tolist() and cut.area[0] == middle.area[0]
    grammar = Grammar("image", {"image": {}, "disc": {"x": Uniform(0, 70), "y": Uniform(0, 60),
                                                      "defocus": Uniform(0, 4)}}, [Rule("image", [repeat("disc", 8)])])
    renderer = Shapes(SIZE, {"disc": {"radius": 6.0, "grain": 0.2}})
    assert same_alone(renderer, grammar, renderer(grammar.sample(0, 8)), range(8))


def test_windows_reach_as_far_as_the_blur():
    taps = focus.taps(np.array([0.0, 0.04, 0.05, 0.3, 1.0, 1.5, 3.0, 10.0]))
    assert taps.tolist() == [0, 0, 1, 1, 3, 6, 12, 32]
    assert (taps[2:] >= 3 * np.array([0.05, 0.3, 1.0, 1.5, 3.0, 10.0])).all()
    assert len(np.unique(focus.taps(np.linspace(0, 20, 1000)))) < 16


def test_gradients_are_those_of_finite_differences():
    priors = {"x": Uniform(9, 21), "radius": Uniform(3, 5), "defocus": Uniform(0.4, 0.6), "opacity": Uniform(0.6, 0.9),
              "grain_size": Uniform(2, 4), "rim": Uniform(-0.5, 0.5)}
    scenes = Grammar("image", {"image": {}, "disc": priors}, [Rule("image", ["disc", "disc"])]).sample(1, 1)
    renderer = Shapes((20, 30), {"disc": {"grain": 0.2}})
    weight = torch.tensor(np.random.default_rng(0).standard_normal((1, 3, 20, 30)))

    def value(columns):
        return (renderer._draw(scenes.with_columns({"disc": columns}), torch.float64) * weight).sum()

    columns = {name: torch.tensor(np.asarray(scenes.tables["disc"][name], float), requires_grad=True)
               for name in priors}
    gradient = torch.autograd.grad(value(columns), list(columns.values()))
    for name, exact in zip(columns, gradient, strict=True):
        assert exact.abs().min() > 1e-3, name
        for at in range(len(exact)):
            ends = []
            for step in (1e-6, -1e-6):
                moved = {n: column.detach().clone() for n, column in columns.items()}
                moved[name][at] += step
                ends.append(value(moved).item())
            assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(exact[at].item(), rel=2e-4, abs=2e-6), name


def test_a_learned_defocus_of_zero_has_a_finite_gradient():
    grammar = Grammar("image", {"image": {}, "disc": {}}, [Rule("image", ["disc"])])
    column = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    scenes = grammar.sample(0, 1).with_columns({"disc": {"defocus": column}})
    image = Shapes(SIZE, {"disc": {}}).draw(scenes)
    (slope,) = torch.autograd.grad(image.square().sum(), column, allow_unused=True)
    assert slope is None or slope.tolist() == [0.0]
