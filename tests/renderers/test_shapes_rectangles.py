import numpy as np
import pytest
import torch

from scenefit.renderers.shapes import Shapes
from scenefit.scenes.grammar import Grammar, Rule
from scenefit.scenes.priors import Angle, Uniform

LOOKS = [{"length": 40.0, "width": 16.0, "angle": 30.0}, {"length": 12.0, "width": 31.5, "angle": -75.0},
         {"length": 36.0, "elongation": 2.4, "angle": 200.0, "corner": 0.6}, {"length": 25.0, "angle": 10.0}]
SIZE, FINE = (60, 70), 8  # pixels; samples a pixel and axis


def frames_of(size=SIZE, root=None, **attributes):
    grammar = Grammar("image", {"image": root or {"shade": 0.0}, "car": {}}, [Rule("image", ["car"])])
    return Shapes(size, {"car": {"x": 33.3, "y": 28.8, "shade": 1.0, **attributes}}, solid=0.5)(grammar.sample(0, 1))


def sides_of(look):
    width = look.get("width", look["length"] / look.get("elongation", 1.0))
    return look["length"], width, look.get("corner", 0.0) * min(look["length"], width) / 2


def coverage(look, fine=FINE):
    """Share of each pixel inside the rectangle, by counting samples that its corners' half planes and circles hold."""
    length, width, curve = sides_of(look)
    y, x = ((np.arange(n * fine) + 0.5) / fine for n in SIZE)
    turn = np.deg2rad(look["angle"])
    right = np.array([np.cos(turn), -np.sin(turn)])
    u = np.abs((x - 33.3) * right[0] + (y[:, None] - 28.8) * right[1])
    v = np.abs((x - 33.3) * -right[1] + (y[:, None] - 28.8) * right[0])
    inside = (u < length / 2) & (v < width / 2)
    cut = (u > length / 2 - curve) & (v > width / 2 - curve)
    inside &= ~cut | (np.hypot(u - length / 2 + curve, v - width / 2 + curve) < curve)
    return inside.reshape(SIZE[0], fine, SIZE[1], fine).mean(axis=(1, 3))


@pytest.mark.parametrize("look", LOOKS)
def test_masks_boxes_and_areas_are_those_of_counted_samples(look):
    frames, share = frames_of(edge=0.5, **look), coverage(look)
    mask, inside = frames.instances[0] > 0, share > 0.5
    assert (mask != inside).sum() <= 4 and (mask != inside)[np.abs(share - 0.5) > 0.15].sum() == 0
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    assert frames.objects.amodal[0] == pytest.approx(box, abs=1)
    length, width, curve = sides_of(look)
    area = length * width - (4 - np.pi) * curve**2
    assert frames.objects.area[0] == pytest.approx(area, rel=0.015)
    light = frames.images[0, ..., 0] / 255
    assert light.sum() == pytest.approx(area, rel=0.003) and np.abs(light - share).max() < 0.2


@pytest.mark.parametrize("edge", [2.0, 6.0])
def test_soft_edges_follow_the_distance_from_the_four_sides(edge):
    look = LOOKS[0]
    length, width, _ = sides_of(look)
    turn = np.deg2rad(look["angle"])
    along, across = np.array([np.cos(turn), -np.sin(turn)]), np.array([np.sin(turn), np.cos(turn)])
    corners = [np.array([33.3, 28.8]) + i * along * length / 2 + j * across * width / 2
               for i, j in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
    y, x = np.mgrid[:SIZE[0], :SIZE[1]] + 0.5
    point, far = np.stack([x, y], -1), np.full(SIZE, np.inf)
    for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
        way = end - start
        share = np.clip((point - start) @ way / (way @ way), 0, 1)
        far = np.minimum(far, np.linalg.norm(point - start - share[..., None] * way, axis=-1))
    inside = coverage(look, 1) > 0
    t = np.clip(0.5 + np.where(inside, far, -far) / (2 * edge), 0, 1)
    assert np.abs(frames_of(edge=edge, **look).images[0, ..., 0] - 255 * t * t * (3 - 2 * t)).max() <= 1


def test_holes_leave_a_wall_of_one_width_on_all_sides():
    row, column = ((frames_of((60, 70), x=35.0, y=30.0, length=40.0, width=20.0, hole=0.6).instances[0] > 0)[at]
                   for at in (np.s_[30], np.s_[:, 35]))
    assert np.flatnonzero(row).tolist() == [*range(15, 19), *range(51, 55)]
    assert np.flatnonzero(column).tolist() == [*range(20, 24), *range(36, 40)]


def test_kinds_may_mix_rectangles_and_other_shapes_and_a_length_of_zero_is_no_rectangle():
    grammar = Grammar("image", {"image": {}, "thing": {}}, [Rule("image", ["thing"])])
    lengths = np.array([0.0, 30.0, 0.0])
    scenes = grammar.sample(0, 3).with_columns({"thing": {"length": lengths}})
    renderer = Shapes((50, 50), {"thing": {"radius": 8.0, "width": 12.0, "sides": 0}}, solid=0.5)
    areas = renderer(scenes).objects.area
    assert areas[1] == 360 and areas[0] == areas[2] == pytest.approx(np.pi * 64, rel=0.05)
    columns = {"length": lengths, "elongation": np.full(3, 1.5)}
    columns = {name: torch.tensor(values, requires_grad=True) for name, values in columns.items()}
    square = Shapes((50, 50), {"thing": {"radius": 8.0}}, solid=0.5)
    square.draw(scenes.with_columns({"thing": columns})).sum().backward()
    assert (columns["length"].grad != 0).tolist() == [False, True, False]
    assert torch.isfinite(columns["elongation"].grad).all() and (columns["elongation"].grad[1] > 1).all()


@pytest.mark.parametrize("rim", [0.0, 0.4])
def test_gradients_are_those_of_finite_differences(rim):
    priors = {"x": Uniform(9, 21), "y": Uniform(8, 16), "length": Uniform(9, 14), "width": Uniform(5, 8),
              "angle": Angle(), "corner": Uniform(0.2, 0.8), "edge": Uniform(0.8, 2)}
    scenes = Grammar("image", {"image": {}, "car": priors}, [Rule("image", ["car", "car"])]).sample(2, 1)
    renderer = Shapes((24, 30), {"car": {"rim": rim, "rim_width": 0.9, "opacity": 0.7}})
    weight = torch.tensor(np.random.default_rng(0).standard_normal((1, 3, 24, 30)))

    def value(columns):
        return (renderer._draw(scenes.with_columns({"car": columns}), torch.float64) * weight).sum()

    columns = {name: torch.tensor(np.asarray(scenes.tables["car"][name], float), requires_grad=True) for name in priors}
    gradient = torch.autograd.grad(value(columns), list(columns.values()))
    for name, exact in zip(columns, gradient, strict=True):
        assert exact.abs().min() > 1e-4, name
        for at in range(len(exact)):
            ends = []
            for step in (1e-6, -1e-6):
                moved = {n: column.detach().clone() for n, column in columns.items()}
                moved[name][at] += step
                ends.append(value(moved).item())
            assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(exact[at].item(), rel=2e-4, abs=2e-6), name


def test_the_angle_turns_the_length_counter_clockwise_and_negative_sides_are_named():
    mask = frames_of(x=35.0, y=30.0, length=40.0, width=8.0, angle=45.0).instances[0]
    assert mask[20, 45] == 1 and mask[40, 45] == 0  # up to the right
    for name in ("length", "width"):
        with pytest.raises(ValueError, match=rf"shapes\['car'\] needs a number >= 0 for {name}, got -1"):
            frames_of(**{name: -1.0})


@pytest.mark.parametrize("name", ["width", "corner"])
def test_a_width_or_corner_without_a_length_is_named(name):
    with pytest.raises(ValueError, match=rf"shapes\['car'\] has {name} 0\.5, which .* add 'length', in pixels, to it"):
        frames_of(**{name: 0.5})
    assert len(frames_of(**{name: 0.0}).objects) == 1
