"""Small data sets of labelled photos in every layout, and what `read_boxes` and `read_few` make of them.

`LAYOUTS` has one function for each layout: it writes photos of 64 x 48 pixels with boxes of class, x0, y0, x1, y1.
"""

import json

import numpy as np
import pytest
from PIL import Image

from scenefit.data.photos import read_boxes, read_few

SIZE = HEIGHT, WIDTH = 48, 64
BOX = ("cell", 10, 5, 30, 15)
OTHER = ("dust", 40, 20, 50, 40)


def photo(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)).save(path)
    return path


def text(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def photos(folder, labels, place, ending=".png"):
    for seed, name in enumerate(labels):
        photo(folder / place / f"{name}{ending}", seed)


def coco(folder, labels, ending=".png", file="annotations/instances_train.json"):
    photos(folder, labels, "train", ending)
    classes = sorted({box[0] for boxes in labels.values() for box in boxes})
    images = [{"id": i, "file_name": f"{name}{ending}", "width": WIDTH, "height": HEIGHT}
              for i, name in enumerate(labels)]
    notes = [{"image_id": i, "category_id": classes.index(name), "bbox": [x0, y0, x1 - x0, y1 - y0], "iscrowd": 0}
             for i, boxes in enumerate(labels.values()) for name, x0, y0, x1, y1 in boxes]
    text(folder / file, json.dumps({
        "images": images, "annotations": [{"id": number, **note} for number, note in enumerate(notes, 1)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(classes)]}))


def change(folder, file="annotations/instances_train.json", **lists):
    """Rewrite a file of COCO: lists as they are given, or with each entry changed by a function."""
    data = json.loads((folder / file).read_text())
    for name, new in lists.items():
        data[name] = [new(entry) for entry in data[name]] if callable(new) else new
    text(folder / file, json.dumps(data))


def yolo(folder, labels, ending=".png", labels_end=".txt"):
    photos(folder, labels, "images/train", ending)
    classes = sorted({box[0] for boxes in labels.values() for box in boxes})
    for name, boxes in labels.items():
        text(folder / f"labels/train/{name}{labels_end}", "".join(
            f"{classes.index(kind)} {(x0 + x1) / 2 / WIDTH} {(y0 + y1) / 2 / HEIGHT} {(x1 - x0) / WIDTH} "
            f"{(y1 - y0) / HEIGHT}\n" for kind, x0, y0, x1, y1 in boxes))
    text(folder / "data.yaml", f"train: images/train\nnames: {json.dumps(classes)}\n")


def voc(folder, labels, ending=".png", labels_end=".xml"):
    photos(folder, labels, "JPEGImages", ending)
    for name, boxes in labels.items():
        text(folder / f"Annotations/{name}{labels_end}", "<annotation>" + "".join(
            f"<object><name>{kind}</name><bndbox><xmin>{x0 + 1}</xmin><ymin>{y0 + 1}</ymin><xmax>{x1}</xmax>"
            f"<ymax>{y1}</ymax></bndbox></object>" for kind, x0, y0, x1, y1 in boxes) + "</annotation>")


def kitti(folder, labels, ending=".png", labels_end=".txt"):
    photos(folder, labels, "training/image_2", ending)
    for name, boxes in labels.items():
        text(folder / f"training/label_2/{name}{labels_end}", "".join(
            f"{kind} 0 0 -10 {x0} {y0} {x1} {y1} -1 -1 -1 -1000 -1000 -1000 -10\n" for kind, x0, y0, x1, y1 in boxes))


LAYOUTS = {"coco": coco, "yolo": yolo, "voc": voc, "kitti": kitti}
every_layout = pytest.mark.parametrize("layout", LAYOUTS)


def read(folder, **options):
    """Name of each photo -> its boxes, and all that was said; the same from `read_boxes` and `read_few`."""
    found, few = read_boxes(folder, SIZE, **options), read_few(folder, SIZE, **options)
    assert few.paths == found.paths and few.skipped == found.skipped
    boxes = {path.name: [] for path in found.paths}
    for i, name, box in zip(found.boxes.image, found.boxes.name, found.boxes.box.round(3).tolist(), strict=True):
        boxes[found.paths[i].name].append((str(name), *box))
    return boxes, said(found.skipped)


def said(skipped):
    return "\n".join(f"{path.name}: {reason}" for path, reason in skipped)


def refused(folder, **options):
    """The message of `read_boxes`, which is that of `read_few`."""
    messages = []
    for reader in (read_boxes, read_few):
        with pytest.raises(ValueError) as error:
            reader(folder, SIZE, **options)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    return messages[0]
