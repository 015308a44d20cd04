"""What a fit says to arguments of another kind: which one, what it takes, and what it got."""

import inspect

import numpy as np
import pytest
from quick import quick
from toys import dot, dots, photos

import scenefit as sf
from scenefit.inference.fit import fit, fit_steps

GRAMMAR, RENDERER = dot(sf.learned(sf.Uniform(2, 14))), dots()
REAL = photos(GRAMMAR, RENDERER, 5)
A_RENDERER = "a renderer: a function below @scenefit.each, a function of scenes, Shapes(...) or Sprites(...); got a"


@pytest.mark.parametrize("call", [fit, fit_steps])
@pytest.mark.parametrize("given, text", [
    ((RENDERER, GRAMMAR, REAL), "grammar needs a scenefit.Grammar; got a value of type Sprites"),
    ((GRAMMAR, GRAMMAR, REAL), f"renderer needs {A_RENDERER}"),
    ((GRAMMAR, sf.Shapes, REAL), "got the class Shapes"),
    ((GRAMMAR, REAL, RENDERER), "renderer needs a renderer: a function"),
    ((GRAMMAR, "zq7.py", REAL), "got str 'zq7.py'")])
def test_the_grammar_and_the_renderer(call, given, text):
    with pytest.raises(ValueError) as caught:
        call(*given)
    assert str(caught.value).startswith("fit(grammar, renderer, real, labelled=None): ") and text in str(caught.value)


@pytest.mark.parametrize("given, text", [
    ({"settings": {"max_renders": 300}}, "settings needs scenefit.Settings(...), in which a method alone goes as "
                                         "Settings(method=...); got dict {'max_renders': 300}"),
    ({"settings": sf.Settings}, "got the class Settings"),
    ({"task": "detect"}, 'task needs a task, such as scenefit.Detect(("coin",)) or scenefit.Classify(("cat", "dog")), '
                         "or None, which chooses one by the labels; got str 'detect'"),
    ({"features": "lite0"}, "features needs a function from images [N, 3, H, W] to features [N, F], or None; got str"),
    ({"label_policy": {"min_pixels": 9}}, "label_policy needs scenefit.LabelPolicy(...), or None; got dict"),
    ({"seed": None}, "seed needs a whole number in 0..2**64 - 1; got None"),
    ({"seed": -1}, "got int -1"), ({"seed": True}, "got bool True"), ({"seed": 1.0}, "got float 1.0")])
def test_the_other_arguments(given, text):
    with pytest.raises(ValueError) as caught:
        fit(GRAMMAR, RENDERER, REAL, **given)
    assert text in str(caught.value)


@pytest.mark.parametrize("real, text", [
    (GRAMMAR, "got a value of type Grammar"),
    (RENDERER(GRAMMAR.sample(0, 4)), "got a value of type Frames; give its images"),
    ([REAL[0], REAL[0, :8]], "got list [array"),
    (["zq7.png"] * 4, "got list ['zq7.png', 'zq7.png', 'zq7.png', 'zq7.png']"),
    (None, "got None"),
    (REAL / 255, "got float64 [5, 16, 16, 3]; (255 * images).astype(numpy.uint8) converts numbers in 0..1"),
    (REAL[:, :8], "got uint8 [5, 8, 16, 3]; scenefit.read_photos(folder, (16, 16)) brings photos to the renderer's "
                  "size (height, width)"),
    (REAL[:3], "got uint8 [3, 16, 16, 3]")])
def test_photos_of_another_kind(real, text):
    with pytest.raises(ValueError) as caught:
        fit(GRAMMAR, RENDERER, real)
    assert str(caught.value).startswith(
        f"real needs a folder, Photos or at least 4 uint8 images [N, 16, 16, 3], {text}")


def test_labelled_photos_of_another_kind():
    unlabelled = sf.Photos(REAL, (), (), np.array(["a", "", "", "a", "a"]))
    for labelled, text in ((unlabelled,
                            "got Photos(5 images of 16 x 16 pixels, labels of a), 2 of them without a label"),
                           (["zq7.png"], "got list ['zq7.png']"), ({"zq7": "a"}, "got dict {'zq7': 'a'}"),
                           (REAL, "got an array of uint8 [5, 16, 16, 3]")):
        with pytest.raises(ValueError) as caught:
            fit(GRAMMAR, RENDERER, REAL, labelled)
        assert str(caught.value) == ("labelled needs a folder with one subfolder a class, a data set of boxes or "
                                     f"masks, or Photos with a label, boxes or a mask each, {text}")


def test_a_task_without_labelled_photos_is_named():
    with pytest.warns(UserWarning, match=r"task is not used: it needs labelled photos, .*; give labelled=") as told:
        fit_steps(GRAMMAR, RENDERER, REAL, task=sf.Classify(("a", "b")), settings=quick())
    assert told[0].filename == __file__


def test_help_tells_every_argument():
    text = inspect.getdoc(fit)
    for name in inspect.signature(fit).parameters:
        assert f"\n{name}: " in text, f"help(sf.fit) does not tell {name}"
