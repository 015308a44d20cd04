"""How far each visible attribute of an arm's scenes lies from the target's.

Grammars here have different kinds and attributes, so what is compared is what the renderer draws, in words of its own:
camera, light, surfaces, and the things that stand before the camera. A thing is visible, by geometry, if its middle is
in the image and at most 80 m away; whether another thing hides it is not asked.
Legend: S scenes; n things of a kind that are visible, of all scenes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

import scenefit as sf
from experiments.known_worlds.score import Target, binned, difference, total_variation
from experiments.street_known import town, world
from scenefit.renderers.street.layout.attributes import NODE, ROOT, STRIP, STRIP_COLOURS, read, read_all
from scenefit.renderers.street.layout.nodes import model_numbers
from scenefit.renderers.street.layout.road import to_world
from scenefit.renderers.street.layout.view import axes, focal_length

Floats = NDArray[np.float64]
SCENES, TRUE_SEED = 1000, 2**20
AT_ONCE = 250  # scenes sampled at once
NEAREST, FARTHEST = 1.0, 80.0  # metres along the optical axis
CHANNELS = "red", "green", "blue"
PEDESTRIAN, CAR, TREE, HOUSE = "pedestrian", "car", "tree", "house"
# What is counted together, and counts in a bin.
COUNTED = {"cars": ((CAR,), 2), "vans, trucks and buses": (("van", "truck", "bus"), 1), "cyclists": (("cyclist",), 1),
           "pedestrians": ((PEDESTRIAN,), 2), "trees": ((TREE,), 3), "houses": ((HOUSE,), 3),
           "poles, signs and furniture": (("pole", "sign", "furniture", "bollard"), 3), "fences": (("fence",), 3)}
KINDS = tuple(kind for kinds, _ in COUNTED.values() for kind in kinds)
OF_THINGS = {CAR: ("distance", "aside", "heading", "length", "width", "height", "lightness", "colour"),
             PEDESTRIAN: ("distance", "aside", "heading", "lightness"), TREE: ("distance", "aside", "height"),
             HOUSE: ("distance", "aside", "height", "lightness")}
GROUPS = {"camera": ("camera_t", "camera_height", "camera_pitch", "camera_yaw", "camera_roll", "field_of_view"),
          "light": ("sun_azimuth", "sun_elevation", "sun", "cloud", "warmth", "haze"),
          "photography": ("exposure", "contrast", "noise", "texture"),
          "road": ("curvature", "asphalt to the left", "asphalt to the right", "asphalt lightness", "paving lightness",
                   "ground lightness")}
ANGLES = {"sun_azimuth", f"{CAR}.heading", f"{PEDESTRIAN}.heading"}
SHARES = "shares of kinds"


@dataclass(frozen=True, eq=False)
class Visible:
    """What scenes show. values: attribute -> values, of scenes [S] or of visible things [n].  counts: what is counted
    -> visible things of each scene [S].  kinds: visible things of each of `KINDS`."""

    values: Mapping[str, Floats]
    counts: Mapping[str, NDArray[np.int64]]
    kinds: Floats


def attributes() -> dict[str, str]:
    """Every attribute that is compared -> its group."""
    return {**{name: group for group, names in GROUPS.items() for name in names},
            **{f"{kind}.{name}": kind for kind, names in OF_THINGS.items() for name in names},
            **dict.fromkeys(COUNTED, "counts"), SHARES: "counts"}


def distances(found: Visible, size: tuple[int, int]) -> dict[str, float | None]:
    """Attribute -> its distance to the target over that of the naive grammar: Wasserstein-1, circular for headings and
    the sun's azimuth; total variation of counts in bins, and of the shares of kinds. 1 is as far away as the naive
    grammar, 0 is the truth. None where the naive grammar is as near as other scenes of the target are."""
    mine, before, floor = (apart(one, truth(size)) for one in (found, of_naive(size), truth(size, 1)))
    return {name: round(mine[name] / before[name], 4) if before[name] > 2 * floor[name] else None for name in mine}


def apart(found: Visible, true: Visible) -> dict[str, float]:
    """The same distances, in the attributes' units."""
    out = {name: difference(Target("", name, "angle" if name in ANGLES else "number"), found.values[name], values)
           for name, values in true.values.items()}
    for name, (_, width) in COUNTED.items():
        last = int(max(found.counts[name].max(), true.counts[name].max()))
        out[name] = total_variation(*(binned(one.counts[name], last, width) for one in (found, true)))
    out[SHARES] = total_variation(*(one.kinds / max(one.kinds.sum(), 1) for one in (found, true)))
    return out


@cache
def truth(size: tuple[int, int], draw: int = 0) -> Visible:
    """Of scenes of the target. draw: other scenes for each number."""
    own = world.renderer(town.TARGET, size)
    return visible(own, (town.grammar().sample(TRUE_SEED + draw, rows) for rows in chunks()))


@cache
def of_naive(size: tuple[int, int]) -> Visible:
    return visible(world.renderer("naive", size), (world.naive().sample(TRUE_SEED, rows) for rows in chunks()))


def chunks() -> list[NDArray[np.int64]]:
    """Numbers of scenes, those that are sampled at once together."""
    return np.array_split(np.arange(SCENES), -(-SCENES // AT_ONCE))


def visible(renderer: sf.Street, batches: Iterable[sf.SceneBatch]) -> Visible:
    """What the scenes of several batches show together."""
    parts = [_visible(renderer, scenes) for scenes in batches]
    return Visible({name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values},
                   {name: np.concatenate([part.counts[name] for part in parts]) for name in COUNTED},
                   np.sum([part.kinds for part in parts], axis=0))


def _visible(renderer: sf.Street, scenes: sf.SceneBatch) -> Visible:
    kind_of_root = next(kind for kind, table in scenes.tables.items() if "camera_height" in table)
    root = {name: read(scenes, kind_of_root, name, limits) for name, limits in ROOT.items()}
    values = {name: root[name] for group in ("camera", "light", "photography") for name in GROUPS[group]}
    values |= {"curvature": root["curvature"], **_surfaces(renderer, scenes, root["camera_t"]),
               "ground lightness": np.mean([root[f"ground_{name}"] for name in CHANNELS], axis=0)}
    things = {kind: _things(renderer, scenes, kind, root) for kind in KINDS}
    values |= {f"{kind}.{name}": things[kind][name] for kind, names in OF_THINGS.items() for name in names}
    counts = {name: sum((np.bincount(things[kind]["scene"].astype(int), minlength=len(scenes)) for kind in kinds),
                        np.zeros(len(scenes), np.int64)) for name, (kinds, _) in COUNTED.items()}
    return Visible(values, counts, np.array([len(things[kind]["scene"]) for kind in KINDS], float))


def _surfaces(renderer: sf.Street, scenes: sf.SceneBatch, camera_t: Floats) -> dict[str, Floats]:
    """Metres of asphalt to both sides of the camera, and mean lightness of surfaces, weighted by width [S]; of the
    latter, only of scenes that have one."""
    left, right = (np.full(len(scenes), -np.inf) for _ in range(2))
    light = {material: np.zeros((2, len(scenes))) for material in ("asphalt", "paving")}
    for kind, material in renderer.materials.items():
        if kind not in scenes.tables or material not in light:
            continue
        scene, own = scenes.tables[kind].scene, read_all(scenes, kind, STRIP)
        drawn = (own["there"] >= 0.5) & (own["width"] > 0)
        scene, own = scene[drawn], {name: column[drawn] for name, column in own.items()}
        if material == "asphalt":
            np.maximum.at(left, scene, own["t"] + own["width"] / 2 - camera_t[scene])
            np.maximum.at(right, scene, camera_t[scene] - own["t"] + own["width"] / 2)
        level = np.mean([np.where(np.isnan(own[name]), default, own[name])
                         for name, default in zip(CHANNELS, STRIP_COLOURS[material], strict=True)], axis=0)
        np.add.at(light[material][0], scene, level * own["width"])
        np.add.at(light[material][1], scene, own["width"])
    return {"asphalt to the left": left, "asphalt to the right": right,
            **{f"{material} lightness": (total[width > 0] / width[width > 0])
               for material, (total, width) in light.items()}}


def _things(renderer: sf.Street, scenes: sf.SceneBatch, kind: str, root: Mapping[str, Floats]) -> dict[str, Floats]:
    """Attributes of the visible things of a kind [n], with their scenes. aside: metres to the left of the camera's
    path.  heading: relative to the road.  colour: from the least to the most of red, green and blue."""
    if kind not in scenes.tables or not len(scenes.tables[kind]):
        return {name: np.zeros(0) for name in ("scene", *sorted({name for names in OF_THINGS.values()
                                                                 for name in names}))}
    own, scene = read_all(scenes, kind, NODE), scenes.tables[kind].scene
    meshes = np.array([mesh.size for mesh in renderer.meshes()[kind].values()])
    model = model_numbers(scenes, kind, list(renderer.meshes()[kind]))
    size = {name: np.where(np.isnan(own[name]), meshes[model, column], own[name])
            for column, name in enumerate(("length", "width", "height"))}
    x, y, _ = to_world(root["curvature"][scene], own["s"], own["t"])
    apart = np.stack([x, y - root["camera_t"][scene], own["z"] + size["height"] / 2 - root["camera_height"][scene]], 1)
    right, down, ahead = np.einsum("nij,nj->in", axes(root)[scene], apart)
    height, width = renderer.size
    focal = focal_length(root, width)[scene]
    seen = (own["there"] >= 0.5) & (ahead > NEAREST) & (ahead < FARTHEST)
    with np.errstate(divide="ignore", invalid="ignore"):
        seen &= (np.abs(focal * right / ahead) < width / 2) & (np.abs(focal * down / ahead) < height / 2)
    colours = np.stack([own[name] for name in CHANNELS], 1)
    found = {"scene": scene.astype(float), "distance": ahead, "aside": own["t"] - root["camera_t"][scene],
             "heading": own["heading"] % 360, **size, "lightness": colours.mean(1), "colour": np.ptp(colours, axis=1)}
    return {name: column[seen] for name, column in found.items()}


def ranges(found: Visible) -> dict[str, tuple[float, ...]]:
    """Attribute -> its median, and its quantiles of 5 % and 95 %; of the sun's azimuth mean direction and the length of
    the mean vector; of headings the share that face away from the camera."""
    out: dict[str, tuple[float, ...]] = {}
    for name, values in {**found.values, **found.counts}.items():
        if name == "sun_azimuth":
            mean = np.exp(1j * np.deg2rad(values)).mean()
            out[name] = float(np.rad2deg(np.angle(mean))), float(abs(mean))
        elif name in ANGLES:
            out[name] = (float((np.cos(np.deg2rad(values)) > 0).mean()),)
        else:
            out[name] = tuple(float(np.quantile(values, share)) for share in (0.5, 0.05, 0.95))
    return out
