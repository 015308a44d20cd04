"""Every lie about labels is named, and what is true is not."""

import numpy as np
import pytest
from checks import altered_frames
from toys import bars, dot

from scenefit.data.frames import make_frames
from scenefit.renderers.label_checks import check_labels
from scenefit.scenes.grammar import Grammar, Rule
from scenefit.scenes.priors import Choice, Uniform

GRAMMAR = Grammar("sky", {"sky": {}, "star": {}, "coin": {}}, [Rule("sky", ["star", "coin"])])
N, H, W = 3, 20, 30
STAR = {"amodal": [2.0, 3, 12, 13], "area": 100.0, "inside": 100.0}  # half of it behind a coin
COIN = {"amodal": [7.0, -5, 17, 13], "area": 180.0, "inside": 130.0}  # reaches beyond the upper edge


def frames(ids=(1, 2), **lies):
    """Three times the same scene; lies: what is said of the star, another than is true."""
    masks = np.zeros((N, H, W), int)
    masks[:, 3:13, 2:12] = ids[0]
    masks[:, 0:13, 7:17] = ids[1]
    said = {name: {"star": np.tile({**STAR, **lies}[name], (N, 1)).reshape(N, *np.shape(STAR[name])),
                   "coin": np.tile(COIN[name], (N, 1)).reshape(N, *np.shape(COIN[name]))} for name in STAR}
    return make_frames(GRAMMAR.sample(0, N), np.zeros((N, H, W), np.uint8), masks, **said)


def wrong(some):
    return [finding.text for finding in check_labels(some) if finding.mode == "wrong"]


def at_first(text):
    return f"3 objects {text}, the first is node 1 of scene 0 of seed 0"


def test_true_labels_have_nothing_against_them():
    assert [finding.mode for finding in check_labels(frames())] == ["ok"] * 3
    drawn = bars()(dot(Uniform(-4, 20), Uniform(-4, 20), sprite=Choice([0, 1])).sample(0, 64))  # cut at every edge
    assert drawn.objects.truncation.max() > 0 and wrong(drawn) == []
    plain = frames()
    silent = altered_frames(plain, amodal={}, area={}, inside={})
    assert wrong(silent) == [] and check_labels(altered_frames(silent, instances=0 * plain.instances)) == []


@pytest.mark.parametrize(("lies", "text"), [
    ({"amodal": [3.5, 3, 12, 13]}, "have visible pixels outside of their amodal box"),
    ({"amodal": [2, 3, 12, 11.5]}, "have visible pixels outside of their amodal box"),
    ({"amodal": [12.0, 3, 2, 13]}, "are given an amodal box that needs four numbers, x0 <= x1 and y0 <= y1"),
    ({"amodal": [2.0, 3, np.nan, 13]}, "are given an amodal box that needs four numbers, x0 <= x1 and y0 <= y1"),
    ({"amodal": [2.0, 3, np.inf, 13]}, "have an amodal box that is infinite or empty"),
    ({"area": 40.0, "inside": np.nan}, "have more visible pixels than area"),
    ({"inside": 40.0}, "have more visible pixels than area inside the image"),
    ({"inside": 110.0}, "have more area inside the image than in total"),
    ({"inside": -1.0}, "are given a negative area"),
    ({"area": -1.0}, "are given a negative area"),
    ({"area": 150.0, "inside": 150.0}, "have more area than their amodal box"),
    ({"inside": 60.0}, "are cut by the image's edge, but their amodal box lies inside"),
    ({"amodal": [-3.0, 3, 12, 13]}, "have an amodal box that reaches beyond the image, but no truncation")])
def test_what_a_renderer_says_of_whole_objects(lies, text):
    assert at_first(text) in wrong(frames(**lies))


def changed(column, row, value):
    some = frames()
    getattr(some.objects, column)[row] = value
    return some


@pytest.mark.parametrize(("column", "row", "value", "text"), [
    ("id", 1, 1, "2 objects have an id that another object of their scene has, the first is node 1 of scene 0"),
    ("box", 0, (2, 3, 8, 13), "1 objects have a box that is not around their mask, the first is node 1 of scene 0"),
    ("pixels", 2, 51, "1 objects have another number of pixels than their mask, the first is node 1 of scene 1"),
    ("box", 3, (9, 0, 9, 13), "1 objects have an empty box, the first is node 2 of scene 1"),
    ("box", 3, (7, np.nan, 17, 13), "1 objects have an empty box, the first is node 2 of scene 1"),
    ("box", 0, (-1, 3, 7, 13), "1 objects have a box beyond the image"),
    ("box", 0, (2, 3, W + 1, 13), "1 objects have a box beyond the image"),
    ("box", 0, (2, 3, 7, H + 1), "1 objects have a box beyond the image"),
    ("amodal", 0, (0, 0, 0, 0), "1 objects have an amodal box that is infinite or empty"),
    ("visibility", 0, 1.5, "1 objects have a visibility outside of 0..1"),
    ("visibility", 0, np.nan, "1 objects have a visibility outside of 0..1"),
    ("truncation", 5, -0.1, "1 objects have a truncation outside of 0..1, the first is node 2 of scene 2"),
    ("visibility", 0, 0.7, "1 objects have a visibility that is not pixels / area inside the image"),
    ("area", 0, 200.0, "1 objects have a visibility that is not pixels / area inside the image")])
def test_what_objects_say(column, row, value, text):
    assert any(found.startswith(text) for found in wrong(changed(column, row, value)))


def test_objects_that_are_mostly_hidden_are_a_warning():
    hidden = altered_frames(frames(), instances=np.where(frames().instances == 1, 0, frames().instances))
    assert [f.text for f in check_labels(hidden) if f.mode == "warning"] == [
        "50% of the objects have no visible pixel: they are hidden, or outside the image"]
