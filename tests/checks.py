"""What several tests compare."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from scenefit.data.boxes import Boxes
from scenefit.data.frames import Frames
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.scene import SceneBatch


def same_scenes(a: SceneBatch, b: SceneBatch) -> bool:
    """Whether two batches hold the same scenes in the same order, bit for bit."""
    if a.seed != b.seed or a.kinds != b.kinds or not np.array_equal(a.index, b.index):
        return False
    for kind in a.kinds:
        one, other = a.tables[kind], b.tables[kind]
        if list(one.columns) != list(other.columns):
            return False
        fields = ("scene", "id", "depth", "parent_kind", "parent_row", "address", "rule")
        pairs = [(getattr(one, f), getattr(other, f)) for f in fields]
        pairs += [(one[name], other[name]) for name in one.columns]
        if not all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in pairs):
            return False
    return True


def same_boxes(a: Boxes, b: Boxes) -> bool:
    fields = ("count", "image", "box", "name", "score")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in fields)


def same_tensors(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two states hold tensors of the same names and values, in any order."""
    return a.keys() == b.keys() and all(a[name].equal(b[name]) for name in a)


def same_weights(a: Any, b: Any) -> bool:
    """Whether two modules hold the same tensors."""
    return same_tensors(a.state_dict(), b.state_dict())


def contents(folder: Path) -> dict[str, bytes]:
    """Path -> bytes of all files below a folder, hidden ones too."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file()}


def counts(grammar: Grammar, kind: str, n: int = 4000) -> np.ndarray:
    """Nodes of a kind in each of n scenes."""
    return np.bincount(grammar.sample(0, n).tables[kind].scene, minlength=n)


def likely(found: Any, expected: Any) -> bool:
    """Chi-square test of observed against expected numbers."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    return bool(stats.chisquare(found, expected * found.sum() / expected.sum()).pvalue > 1e-3)


def altered_frames(frames: Frames, **changes: Any) -> Frames:
    """Frames with other images, label, pixels (such as instances) or nodes (such as area), by name."""
    fields = {name: changes.pop(name) for name in ("images", "label") if name in changes}
    pixels = {name: changes.pop(name) for name in frames.pixels if name in changes}
    nodes = {"class" if name == "classes" else name: values for name, values in changes.items()}
    return replace(frames, **fields, pixels={**frames.pixels, **pixels}, nodes={**frames.nodes, **nodes})


def in_processes(code: str) -> list[str]:
    """What a script prints in two processes with different hash seeds."""
    return [subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed},
                           capture_output=True, text=True, check=True).stdout.strip() for seed in ("1", "2")]


def same_alone(renderer: Any, grammar: Grammar, frames: Any, rows: Any) -> bool:
    """Whether scenes of seed 0, each drawn alone, have the images, masks and labels that they have among frames."""
    for row in rows:
        alone, part = renderer(grammar.sample(0, [row])), frames.take([row]).objects
        names = ("id", "name", "box", "amodal", "pixels", "area", "visibility", "truncation")
        pairs = [(alone.images[0], frames.images[row]), (alone.instances[0], frames.instances[row])]
        pairs += [(getattr(alone.objects, name), getattr(part, name)) for name in names]
        if not all(np.array_equal(a, b) for a, b in pairs):
            return False
    return True
