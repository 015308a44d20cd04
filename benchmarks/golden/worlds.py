"""The worlds of `benchmarks.golden`. As a script, `python worlds.py OUT.npz` fits them, writes all resulting arrays and
prints the folder of the package that it used.

The file imports nothing else from this folder, because it also runs with the package of another checkout. Names that
`import scenefit as sf` does not offer appear only in the imports and in the functions before the worlds.
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import scenefit as sf
from scenefit.inference.npe.method import Npe
from scenefit.inference.stages.meta_sim import MetaSim
from scenefit.inference.stages.mmd_descent import Descent
from scenefit.inference.stages.regressor import Regressor
from scenefit.inference.stages.structure import Structure
from scenefit.inference.stages.task_reward import TaskReward
from scenefit.nets.pyramid.network import SmallMaps

Labelled = Iterator[tuple[str, Any]]  # description, values
QUICK = {"reader_renders": 128, "reader_epochs": 1, "steps": 2, "batch": 64, "task_steps": 2, "task_renders": 64,
         "check_renders": 64}
ASIDE = ("piece", "counts", "seconds", "cpu_seconds")  # of a saved state: its position and times
SIDE = 24  # pixels


# ---------------------------------------------------------------------------------- functions with names of the package

def settings(**changes: Any) -> Any:
    """Settings of a fit that takes a second or two, from the names of settings at commit 8991643."""
    given = {**QUICK, **changes}
    gradient = {"exact": "pathwise", "finite": "finite-difference", "simultaneous": "spsa", "score": "score-function",
                "auto": "auto"}[given.get("gradient", "auto")]
    task = {"credit": "influence"}.get(given.get("task", "credit"), given.get("task"))
    method = Npe(2, 64, 4, 2) if given.get("npe") else MetaSim(given.get("pretrain", 0))
    return sf.Settings(method, Regressor(renders=given["reader_renders"], epochs=given["reader_epochs"]),
                       Structure(given.get("structure", 0)), Descent(given["steps"], given["batch"], 0.01, gradient),
                       TaskReward(task, given["task_steps"], given["task_renders"]),
                       validation_renders=given["check_renders"])


def labelled_photos(frames: Any) -> Any:
    """Frames as photos with their classes and boxes."""
    count = len(frames.images)
    return sf.Photos(frames.images, tuple(Path(str(row)) for row in range(count)), (), frames.label,
                     sf.label_boxes(frames))


def classified(photos: Any) -> Any:
    """The same photos with their classes alone."""
    return sf.Photos(photos.images, photos.paths, photos.skipped, photos.label)


def fitted(grammar: Any, renderer: Any, photos: Any, few: Any = None, posed: Any = None, after: Any = None,
           **changes: Any) -> list[Any]:
    """All steps of a fit. few: labelled photos.  posed: their task.  after: the step to resume from.  changes: settings
    that differ from QUICK."""
    return list(sf.fit_steps(grammar, renderer, photos, few, seed=7, settings=settings(**changes), task=posed,
                             state=None if after is None else after.state))


def step_numbers(steps: Iterable[Any]) -> list[list[float]]:
    """Per step: the number of its stage, distance, metric, renders and trainings, without names and times."""
    stages = list(dict.fromkeys(step.stage for step in steps))
    return [[stages.index(s.stage), s.distance, s.metric, s.renders, s.trainings] for s in steps]


def model_arrays(step: Any) -> list[np.ndarray]:
    """The model's tensors in order."""
    return [value.numpy() for value in step.model.state().values()]


def state_arrays(step: Any) -> list[np.ndarray]:
    """The saved state of a step without its position and times."""
    return [value.detach().numpy() for name, value in step.state.items() if name not in ASIDE]


def scene_arrays(scenes: Any) -> list[np.ndarray]:
    """The values of all nodes, column by column."""
    return list(scenes.rows().values())


def frame_arrays(frames: Any) -> list[np.ndarray]:
    """Images, masks, measurements of the objects, and their label boxes."""
    objects, tight, whole = frames.objects, sf.label_boxes(frames), sf.label_boxes(frames, sf.LabelPolicy(box="amodal"))
    return [frames.images, frames.instances, objects.box, objects.amodal, objects.pixels, objects.visibility,
            objects.truncation, tight.image, tight.box, whole.box]


def box_arrays(boxes: Any) -> list[np.ndarray]:
    """Detections."""
    return [boxes.image, boxes.box, boxes.score]


def write(model: Any, renderer: Any, folder: Path, form: str = "coco") -> None:
    """A small data set."""
    sf.generate(model, renderer, 8, folder, form, validation=0.3)


def read_back(folder: Path, boxes: bool) -> list[np.ndarray]:
    """Images and boxes of a data set, read at another size; without boxes, the images alone."""
    size = SIDE - 6, SIDE - 2
    photos = sf.read_boxes(folder, size) if boxes else sf.read_photos(folder, size)
    return [photos.images, *([photos.boxes.image, photos.boxes.box] if boxes else [])]


# ---------------------------------------------------------------------------------------------- compared arrays

def fit_arrays(name: str, renderer: Any, steps: list[Any]) -> Labelled:
    """All arrays of a fit."""
    seen: set[str] = set()
    for number, step in enumerate(steps):
        what = f"{name}, step {number} ({step.stage})"
        yield from numbered(f"{what}: model", model_arrays(step))
        yield from numbered(f"{what}: rest of the state", unseen(state_arrays(step), model_arrays(step), seen))
    yield f"{name}: numbers of its steps", step_numbers(steps)
    scenes = steps[-1].model.sample(24)
    yield from numbered(f"{name}: scenes", scene_arrays(scenes))
    yield from numbered(f"{name}: frames", frame_arrays(sf.render(renderer, scenes)))
    yield from coco_arrays(name, steps[-1].model, renderer)


def unseen(values: list[np.ndarray], known: list[np.ndarray], seen: set[str]) -> list[np.ndarray]:
    """Arrays that are neither known nor seen before, without duplicates, in an order that does not depend on names."""
    seen |= {fingerprint(value) for value in known}
    fresh = {fingerprint(value): value for value in values}
    fresh = {name: value for name, value in fresh.items() if name not in seen}
    seen |= set(fresh)
    return sorted(fresh.values(), key=lambda value: (value.shape, str(value.dtype), value.tobytes()))


def fingerprint(value: np.ndarray) -> str:
    return hashlib.sha256(f"{value.dtype} {value.shape} ".encode() + value.tobytes()).hexdigest()


def numbered(what: str, values: Iterable[Any]) -> Labelled:
    for number, value in enumerate(values):
        yield f"{what} {number}", value


def coco_arrays(name: str, model: Any, renderer: Any) -> Labelled:
    """The bytes of the image files of a small data set, and the boxes in its JSON files."""
    with tempfile.TemporaryDirectory() as folder:
        write(model, renderer, Path(folder) / "data")
        images, texts = (sorted(Path(folder).rglob(f"*.{ending}")) for ending in ("png", "json"))
        assert len(images) == 8
        yield from numbered(f"{name}: file of image", (np.frombuffer(path.read_bytes(), np.uint8) for path in images))
        parts = [json.loads(path.read_text()).get("annotations") for path in texts]
        yield from numbered(f"{name}: boxes of part",
                            ([row["bbox"] for row in part] for part in parts if part is not None))


# ---------------------------------------------------------------------------------------------- the worlds

def bar_sprites() -> Any:
    """Lying and standing bars, each its own class, on a grey background."""
    lying = np.zeros((7, 7))
    lying[2:5] = np.linspace(0.6, 1, 7)
    return sf.Sprites((16, 16), {"bar": np.stack([lying, lying.T])}, labels={"bar": ["lying", "standing"]})


def bars(shade: Any, x: Any, count: Any, angle: Any) -> Any:
    """Bars with a conditional number, an angle, a choice, and two rules."""
    bar = {"x": sf.learned(x, (2, 14)), "y": sf.learned(lambda node: sf.Normal(node["x"], 1.5), (2, 14)),
           "angle": sf.learned(angle), "sprite": sf.learned(sf.Choice([0, 1]))}
    return sf.Grammar("ground", {"ground": {"shade": sf.learned(shade)}, "bar": bar},
                      [sf.Rule("ground", ["bar"], learned=True),
                       sf.Rule("ground", [sf.repeat("bar", sf.learned(count))], learned=True)])


@sf.each
def blots(scene: Any) -> Any:
    """Discs of one size; later ones cover earlier ones."""
    down, right = np.mgrid[:SIDE, :SIDE] + 0.5
    image, masks = np.full((SIDE, SIDE, 3), scene.root.light), np.zeros((SIDE, SIDE), int)
    for blot in scene.of("blot"):
        inside = (right - blot.x) ** 2 + (down - blot.y) ** 2 < scene.root.radius**2
        image[inside] = scene.root.ink, 0.5 * scene.root.ink, 0.2
        masks[inside] = blot.id
    return sf.Frame(image, masks, label="many" if len(scene.of("blot")) > 4 else "few")


def blotted(light: Any, ink: Any, radius: Any, count: Any) -> Any:
    return sf.Grammar("page", {
        "page": {"light": sf.learned(light), "ink": sf.learned(ink), "radius": sf.learned(radius)},
        "blot": {"x": sf.learned(sf.Uniform(2, SIDE - 2)), "y": sf.Uniform(2, SIDE - 2)}},
        [sf.Rule("page", [sf.repeat("blot", sf.learned(count))])])


def wide_blots() -> Any:
    return blotted(sf.Uniform(0.3, 1), sf.Uniform(0, 1), sf.Uniform(1, 6), sf.Integer(0, 8))


def photographed(count: int, seed: int = 11) -> Any:
    """Frames of narrower scenes."""
    true = blotted(sf.Uniform(0.7, 0.8), sf.Uniform(0.1, 0.3), sf.Uniform(2, 3), sf.Integer(3, 6))
    return sf.render(blots, true.sample(seed, count))


def shapes() -> Any:
    """A renderer that uses nearly all attributes of shapes and camera."""
    disc = {"red": 0.1, "edge": 0.6, "wobble": 0.1, "elongation": 1.2, "rim": 0.3, "grain": 0.1, "pallor": 0.2,
            "bulge": 0.1, "absorb": 0.3}
    core = {"radius": 1.5, "shade": 0.8, "sides": 5.0, "power": 3.0}
    ring = {"radius": 3.0, "hole": 0.4, "lobes": 3.0, "opacity": 0.7, "layer": 1.0}
    camera = {"vignette": 0.2, "grain": 0.05, "blur": 0.5, "light": 0.2, "contrast": 1.1, "red_gain": 0.9}
    return sf.Shapes((SIDE, SIDE), {"disc": disc, "core": core, "ring": ring}, camera=camera, parts=["core"])


def discs(shade: Any, size: Any) -> Any:
    """Discs whose radius and position depend on their parents."""
    return sf.Grammar("image", {
        "image": {"shade": sf.learned(shade), "size": sf.learned(size), "noise": sf.Uniform(0, 4)},
        "disc": {"x": sf.learned(sf.Uniform(4, SIDE - 4)), "y": sf.Uniform(0, SIDE),
                 "radius": lambda node: sf.Normal(node.parent["size"], 0.2, 1, 9)},
        "core": {"x": lambda node: sf.Constant(node.parent["x"]), "y": lambda node: sf.Constant(node.parent["y"])},
        "ring": {"x": sf.Uniform(0, SIDE), "y": sf.Uniform(0, SIDE), "angle": sf.Angle()}},
        [sf.Rule("image", ["disc", "disc", "ring"]), sf.Rule("disc", ["core"])])


def posteriors() -> Labelled:
    """Two rounds of npe with objects; then MMD descent with the score function. Resumed once after the first round."""
    grammar = blotted(sf.Uniform(0.3, 1), sf.Uniform(0, 1), sf.Uniform(3, 6), sf.Integer(3, 8))  # always some to label

    def run(after: Any = None) -> list[Any]:
        return fitted(grammar, blots, photographed(24).images, after=after, npe=True)

    steps = run()
    yield from fit_arrays("fit", blots, steps)
    yield from numbered("resumed: model", model_arrays(run(steps[0])[-1]))


def painted() -> Labelled:
    """`Shapes`, with MMD descent from the prior by the pathwise gradient."""
    renderer = shapes()
    photos = sf.render(renderer, discs(sf.Uniform(0.7, 0.8), sf.Uniform(3, 4)).sample(11, 24))
    steps = fitted(discs(sf.Uniform(0.2, 0.9), sf.Uniform(2, 8)), renderer, photos.images)
    yield from fit_arrays("fit", renderer, steps)


def structure() -> Labelled:
    """A structure policy for the counts, pre-training, MMD descent from the prior, and task reward from boxes on
    labelled photos."""
    steps = fitted(wide_blots(), blots, photographed(24).images, labelled_photos(photographed(8, seed=12)),
                   sf.Detect(("blot",), steps=30, augmented_copies=1), structure=96, pretrain=3,
                   task="credit")
    yield from fit_arrays("fit", blots, steps)


def gradients() -> Labelled:
    """Each gradient estimator, with learned numbers, a count and a choice; task reward from classes, with both task
    gradients."""
    renderer, few = bar_sprites(), labelled_photos(photographed(16))
    grammar = bars(sf.Normal(40, 20, 0, 80), sf.Normal(7, 2), sf.Integer(1, 2), sf.Angle(0, 30))
    photos = renderer(bars(sf.Uniform(30, 50), sf.Normal(10, 1), sf.Integer(1, 2), sf.Angle(60, 10)).sample(11, 24))
    for gradient in ("exact", "finite", "simultaneous", "score"):
        steps = fitted(grammar, renderer, photos.images, gradient=gradient)
        yield from fit_arrays(gradient, renderer, steps)
    for task in ("credit", "reinforce"):
        steps = fitted(wide_blots(), blots, few.images, classified(few), sf.Classify(("few", "many"), epochs=1),
                       task=task)
        yield from fit_arrays(task, blots, steps)


def detector() -> Labelled:
    """Detectors trained on renders, with a frozen and with a trained backbone; the first is then self-trained on photos
    and fine-tuned on labelled ones."""
    renders, real = photographed(24), photographed(8, seed=13)
    labels = sf.label_boxes(renders, sf.LabelPolicy(min_visibility=0.3))
    frozen = sf.Detect(("blot",), steps=60, batch=8, augmented_copies=48)
    whole = sf.Detect(("blot",), steps=60, batch=8, augmented_copies=48, upscale=2.0, backbone=SmallMaps)
    first = frozen.train(renders.images, labels, 3)
    networks = {
        "frozen": (frozen, first),
        "whole": (whole, whole.train(renders.images, labels, 3)),
        "adapted": (frozen, frozen.self_train(first, real.images, 4, renders.images, labels, rounds=1,
                                              min_confidence=0.1)),
        "tuned": (frozen, frozen.fine_tune(first, real.images, sf.label_boxes(real), 5, renders.images, labels))}
    for name, (task, network) in networks.items():
        yield from numbered(f"{name}: weights", (value.numpy() for value in network.state_dict().values()))
        yield from numbered(f"{name}: finds", box_arrays(task.predict(network, real.images)))
        yield f"{name}: score", task.evaluate(network, real.images, sf.label_boxes(real))["mAP50"]


def files() -> Labelled:
    """Data sets in every format, read back at another size; flat-field correction of photos."""
    with tempfile.TemporaryDirectory() as folder:
        for form in ("coco", "yolo", "voc", "kitti", "folder"):
            place = Path(folder) / form
            write(wide_blots(), blots, place, form)
            yield from numbered(f"{form}: read back", read_back(place, boxes=form != "folder"))
    dusty = photographed(24).images
    dusty[:, 5:9, 5:9] //= 2
    field = sf.flat_field(dusty)
    yield from numbered("flat field", [field, sf.correct_flat_field(dusty, field)])


WORLDS = {"posteriors": posteriors, "painted": painted, "structure": structure, "gradients": gradients,
          "detector": detector, "files": files}


def main() -> None:
    torch.set_num_threads(1)
    arrays: dict[str, np.ndarray] = {}
    for name, world in WORLDS.items():
        for description, values in world():
            arrays[f"{name}/{len(arrays):05d} {description}"] = np.asarray(values)
    np.savez(sys.argv[1], **arrays)  # type: ignore[arg-type]
    print(Path(sf.__file__).resolve().parent)


if __name__ == "__main__":
    main()
