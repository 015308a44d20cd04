"""Three scenes with hand-painted objects, for the formats."""

import json

import numpy as np

from scenefit.data.frames import make_frames
from scenefit.scenes.grammar import Grammar, Rule, repeat

H, W = 20, 30
SCENES = [3, 4, 900]
PARTS = ["train", "val", "train"]
CLASSES = ["star", "coin", "never"]
INFO = {"seed": 0, "versions": {"scenefit": "0"}}


def masks():
    """[3, H, W]: ids of the nodes 1..5 of three scenes; 5 is a single pixel, 4 nowhere, 3 in two pieces."""
    found = np.zeros((3, H, W), np.int32)
    found[:, 2:9, 3:11] = 1
    found[1, 0:H, 15:18] = 2
    found[2, 0:5, 0:6] = 2
    found[:2, 12:15, 20:24] = 3
    found[:2, 17:20, 26:30] = 3
    found[:, 0, W - 1] = 5
    return found


def frames(**given):
    """Nodes 1 and 2 are stars, 3 to 5 coins."""
    grammar = Grammar("sky", {"sky": {}, "star": {}, "coin": {}}, [Rule("sky", [repeat("star", 2), repeat("coin", 3)])])
    scenes = grammar.sample(0, np.array(SCENES))
    images = np.random.default_rng(0).integers(0, 256, (3, H, W, 3), np.uint8)
    return make_frames(scenes, images, masks(), **given)


def half_seen(**given):
    """Frames whose first stars reach beyond the image, and are seen to a half of what is inside."""
    boxes = np.tile([[2.0, -4.5, 14.0, 12.25], [0, 0, 0, 0]], (3, 1))
    area, inside = np.tile([160.0, 0], 3), np.tile([112.0, 0], 3)
    return frames(amodal={"star": boxes}, area={"star": area}, inside={"star": inside}, **given)


def write(form, out, some=None, parts=PARTS, classes=CLASSES):
    """The data set of a format, its rows kept as JSON in between."""
    rows = form.save(some or frames(), out, parts)
    form.finish(out, iter(json.loads(json.dumps(rows))), classes, INFO)
    return out
