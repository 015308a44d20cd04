"""Checks of a grammar and a renderer: bounds, labels, and that a scene has the same image in any batch.

Legend: S scenes; m objects.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from scenefit.data.frames import Frames
from scenefit.renderers import Renderer, RenderError, name_scenes, render, renderer_info
from scenefit.renderers.appearance_checks import check_appearance
from scenefit.renderers.effect_checks import attributes_without_effect
from scenefit.renderers.label_checks import Finding, check_labels, check_shared_ids
from scenefit.scenes.arguments import first_few
from scenefit.scenes.grammar import Grammar, NormalisedValues
from scenefit.scenes.scene import SceneBatch
from scenefit.scenes.suggestions import did_you_mean

N_ALONE = 8  # scenes rendered one by one
N_UNUSED = 20  # attributes of a kind that nothing uses, named each
N_NAMED = 8  # classes, and attributes without effect, that are named
N_SHOWN = 3  # scenes that cannot be drawn, named with their reasons
LABELS = ("scene", "id", "name", "box", "amodal", "pixels", "area", "visibility", "truncation")  # of objects


def check_scene(grammar: Grammar, renderer: Renderer, n: int = 64, seed: int = 0) -> tuple[Frames, list[Finding]]:
    """Render n scenes and check them: the frames of those that can be drawn, and the findings.

    ValueError for fewer than two scenes; RenderError where none can be drawn.
    """
    if n < 2:
        raise ValueError(f"a check needs at least 2 scenes, got {n}")
    frames, findings = _draw(renderer, grammar.sample(seed, n))
    if len(frames) < 2:
        return frames, findings
    for check in (_bounds, _finite, _unused, _images, _labels, _appearance, _again, _alone, _in_another_batch,
                  _gradient, _effects):
        try:
            findings += check(grammar, renderer, frames.scenes, frames)
        except RenderError as error:
            findings.append(Finding("wrong", f"scenes that could be drawn could not be drawn again: {error}"))
    return frames, findings


def _draw(renderer: Renderer, scenes: SceneBatch) -> tuple[Frames, list[Finding]]:
    """Frames of the scenes that can be drawn, at least one, and a finding for each of the first that cannot."""
    try:
        frames = render(renderer, scenes)
        return frames, check_labels(frames)
    except RenderError as error:
        whole = error
    found, rows = _alone_each(renderer, scenes)
    if not rows:
        raise whole
    try:
        frames = render(renderer, scenes.take(rows))
    except RenderError as error:
        found.append(Finding("wrong", f"scenes that can be drawn alone cannot be drawn together: {error}"))
        frames = render(renderer, scenes.take(rows[:1]))
    return frames, found + check_labels(frames)


def _alone_each(renderer: Renderer, scenes: SceneBatch) -> tuple[list[Finding], list[int]]:
    """Each scene rendered on its own: findings for the first that fail, and the rows of those that can be drawn at the
    most frequent size."""
    texts: dict[int, str] = {}
    sizes: dict[int, tuple[int, ...]] = {}
    for row in range(len(scenes)):
        try:
            sizes[row] = render(renderer, scenes.take([row])).images.shape[1:3]
        except RenderError as error:
            texts[row] = f"cannot be drawn: {error}"
    usual = max(sizes.values(), key=list(sizes.values()).count, default=())
    for row, size in sizes.items():
        if size != usual:
            texts[row] = f"cannot be drawn with the others: its image is {list(size)}, but theirs are {list(usual)}"
    found = [Finding("wrong", f"{name_scenes(scenes.seed, scenes.index[[row]])} {texts[row]}")
             for row in sorted(texts)[:N_SHOWN]]
    if len(texts) > N_SHOWN:
        found.append(Finding("wrong", f"{len(texts)} of {len(scenes)} scenes cannot be drawn, {N_SHOWN} are named"))
    return found, [row for row in sizes if row not in texts]


def _bounds(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    """Learned values lie inside their bounds, and the bounds cut off little of the prior."""
    _, units = grammar.decode(scenes, {})
    for a in grammar.learned:
        if a.key not in units or a.circular:
            continue
        values, unit = np.asarray(scenes.tables[a.kind][a.name]), units[a.key]
        if len(values) == 0:
            yield Finding("warning", f"{a.kind}.{a.name}: none of the {len(scenes)} scenes has a {a.kind}")
        elif np.any(values < unit.low) or np.any(values > unit.high):
            yield Finding("wrong", f"{a.kind}.{a.name}: values reach {values.min():.4g}..{values.max():.4g}, beyond "
                                   f"the bounds {np.min(unit.low):.4g}..{np.max(unit.high):.4g}")
        elif (share := _share_at_bounds(values, unit)) > 0.1:
            yield Finding("warning", f"{a.kind}.{a.name}: {share:.0%} of the prior lies beyond the bounds "
                                     f"{np.min(unit.low):.4g}..{np.max(unit.high):.4g}; widen the bounds, or narrow "
                                     "the prior")
    yield Finding("ok", f"{len(grammar.learned) + len(grammar.learned_heads)} learned attributes, all values in bounds"
                  if grammar.learned or grammar.learned_heads else "no attribute is learned: this scene can be sampled "
                  "and generated, but not fitted")


def _finite(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    """Attributes are finite numbers; a renderer of your own may draw others, but they cannot be learned from."""
    for kind, table in scenes.tables.items():
        for name, column in table.columns.items():
            values = np.asarray(column)
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                row = int(np.flatnonzero(~np.isfinite(values))[0])
                yield Finding("warning", f"{kind}.{name} is {values[row]:g} in "
                                         f"{name_scenes(scenes.seed, scenes.index[table.scene[[row]]])} (node "
                                         f"{int(table.id[row])}); give its prior finite bounds")


def _unused(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    """Attributes that neither the renderer nor a prior uses, which may be misspelt."""
    attributes = renderer_info(renderer).attributes
    for kind, known in attributes(grammar.start).items() if attributes else ():
        own = grammar.attributes.get(kind, {})
        unused, left = [a for a in own.values() if not a.count and a.name not in known
                        and a.key not in grammar.prior_inputs], known - set(own)
        for a in unused[:N_UNUSED]:
            yield Finding("warning", f"neither the renderer nor a prior uses {kind}.{a.name}"
                                     f"{did_you_mean(a.name, left)}")
        if len(unused) > N_UNUSED:
            yield Finding("warning", f"neither the renderer nor a prior uses {len(unused) - N_UNUSED} more attributes "
                                     f"of {kind}")


def _share_at_bounds(values: np.ndarray, unit: NormalisedValues) -> float:
    """Share of values [n] at an end of their bounds, where values beyond are moved to; 0 for whole numbers."""
    return 0.0 if values.dtype.kind in "iu" else float(np.mean((values == unit.low) | (values == unit.high)))


def _images(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    height, width = frames.images.shape[1:3]
    if all(np.array_equal(frames.images[0], image) for image in frames.images):
        yield Finding("warning", "all images are the same")
    blank = [row for row, image in enumerate(frames.images) if np.ptp(image) == 0]
    if blank:
        yield Finding("warning", f"{len(blank)} images are of one plain colour, the first is "
                                 f"{name_scenes(scenes.seed, scenes.index[blank[:1]])}")
    yield Finding("ok", f"{len(frames)} images of {height} x {width} pixels (height x width)")


def _labels(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    """Labels exist, of all images or none, and every kind has a visible node."""
    named = frames.label != ""
    if named.any() and not named.all():
        row = int(np.flatnonzero(~named)[0])
        yield Finding("warning", f"{int((~named).sum())} images have no label while others do, the first is "
                                 f"{name_scenes(scenes.seed, scenes.index[[row]])}")
    classes = sorted(set(frames.objects.name.tolist()) - {""})
    if named.any():
        labels = sorted(set(frames.label[named].tolist()))
        yield Finding("ok", f"labels of whole images: {first_few(labels, N_NAMED)}")
    if len(frames.objects):
        yield Finding("ok", f"{len(frames.objects)} objects of the classes {first_few(classes, N_NAMED)}")
    if not named.any() and not len(frames.objects):
        yield Finding("warning", "no labels: neither classes of whole images nor masks of objects; data sets made from "
                                 "this scene have nothing to train on")
    seen = frames.objects.pixels > 0
    masked = set(zip(frames.objects.scene[seen].tolist(), frames.objects.id[seen].tolist(), strict=True))
    yield from check_shared_ids(frames, renderer_info(renderer).parts)
    no_objects = _no_objects(grammar, renderer, frames)
    for kind, table in scenes.tables.items():
        nodes = set(zip(table.scene.tolist(), table.id.tolist(), strict=True))
        if masked and kind not in no_objects and nodes and not nodes & masked:
            yield Finding("warning", f"no {kind} is ever visible: none has a pixel in the masks")


def _no_objects(grammar: Grammar, renderer: Renderer, frames: Frames) -> set[str]:
    """Kinds that masks need not show: the root, parts of their parents, those without a class, and those that a
    renderer does not draw but that have children, such as a row of objects."""
    info, tables = renderer_info(renderer), frames.scenes.tables
    drawn = info.attributes(grammar.start) if info.attributes else tables
    parents = {frames.scenes.kinds[code] for table in tables.values()
               for code in np.unique(table.parent_kind[table.depth > 0]).tolist()}
    nameless = {kind for kind, names in frames.classes.items() if (names == "").all()}
    return {grammar.start, *info.parts, *nameless, *(parents - set(drawn))}


def _appearance(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    """What a person would see in the images."""
    yield from (Finding(mode, text) for mode, text in check_appearance(frames, renderer_info(renderer).parts))


def _again(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    again = grammar.sample(scenes.seed, scenes.index)
    if not _same(again, scenes):
        yield Finding("wrong", "the grammar gives other scenes for the same seed: a conditional prior must not draw "
                               "numbers, but return the prior to draw them from, such as Normal(node.parent[...], 1)")
        return
    drawn = render(renderer, again)
    yield _compared(frames, drawn, "the same scenes give the same images and labels, byte for byte",
                    "the same scenes drawn twice differ", "let random numbers come from scene.rng(name), and keep no "
                    "state between scenes")


def _same(a: SceneBatch, b: SceneBatch) -> bool:
    ours, theirs = a.rows(), b.rows()
    return all(np.array_equal(ours[name], theirs[name], equal_nan=ours[name].dtype.kind == "f") for name in ours)


def _alone(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    rows = np.unique(np.linspace(0, len(scenes) - 1, min(N_ALONE, len(scenes))).astype(int))
    differ = {int(row): _differences(frames.take([row]), render(renderer, scenes.take([row]))) for row in rows}
    yield _verdict({row: names[0] for row, names in differ.items() if names}, len(rows), scenes,
                   "a scene alone gives the same image and labels as in a batch, byte for byte",
                   "scenes drawn alone differ from those drawn in a batch", "a scene must not depend on its neighbours")


def _in_another_batch(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    """Every second scene: in a batch of another size, with other neighbours, in other rows."""
    rows = np.arange(1, len(scenes), 2)
    yield _compared(frames.take(rows), render(renderer, scenes.take(rows)),
                    "scenes in another batch give the same images and labels, byte for byte",
                    "scenes drawn in another batch differ", "a scene must not depend on its neighbours")


def _gradient(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    """The draw() of a differentiable renderer gives the same images as its frames."""
    draw = renderer_info(renderer).draw
    if draw is None:
        return
    import torch  # only here: a renderer without draw() needs none

    with torch.no_grad():
        drawn = draw(scenes).cpu().numpy()
    gap = np.abs(drawn - frames.images.transpose(0, 3, 1, 2) / np.float32(255)).max(axis=(1, 2, 3))
    if gap.max() > 2 / 255:
        yield Finding("wrong", f"draw() and the frames differ by {gap.max() * 255:.0f} grey levels of 255, most in "
                               f"{_first(scenes, gap == gap.max())}")
    else:
        yield Finding("ok", "draw(), which gradients are taken of, gives the same images")


def _effects(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    """Each learned attribute changes some image; one that does not cannot be learned from photos."""
    without_effect = attributes_without_effect(grammar, renderer, frames)
    if without_effect:
        yield Finding("warning", f"changing {first_few(without_effect, N_NAMED)} changes no image, so it "
                                 "cannot be learned")


def _compared(ours: Frames, theirs: Frames, good: str, bad: str, fix: str) -> Finding:
    return _verdict(_differences(ours, theirs), len(ours), ours.scenes, good, bad, fix)


def _verdict(differ: dict[int, str], of: int, scenes: SceneBatch, good: str, bad: str, fix: str) -> Finding:
    """differ: row of the scene -> what differs."""
    if not differ:
        return Finding("ok", good)
    first = min(differ)
    return Finding("wrong", f"{bad} ({len(differ)} of {of}, the first is "
                            f"{name_scenes(scenes.seed, scenes.index[[first]])} in its {differ[first]}); {fix}")


def _differences(a: Frames, b: Frames) -> dict[int, str]:
    """Row -> what differs; renders of another shape differ in every row."""
    if a.images.shape != b.images.shape:
        return dict.fromkeys(range(len(a)), "size")
    found: dict[int, str] = {}
    more = sorted((a.pixels.keys() | b.pixels.keys()) - {"instances"})
    for text, one, other in (("image", a.images, b.images), ("masks", a.instances, b.instances),
                             *((name, a.pixels.get(name), b.pixels.get(name)) for name in more),
                             ("label", a.label, b.label)):
        found = {**_differing(text, one, other), **found}
    for row in set(range(len(a))) - set(found):
        ours, theirs = _labels_of(a, row), _labels_of(b, row)
        for name in {**ours, **theirs}:
            if _differing(name, ours.get(name), theirs.get(name)):
                found.setdefault(row, f"objects' {name}")
    return found


def _labels_of(frames: Frames, row: int) -> dict[str, np.ndarray]:
    """Labels of the objects of one scene, and what else its renderer gives of its nodes."""
    mine = frames.objects.scene == row
    more = {f"{name} of {kind}": values[frames.scenes.tables[kind].scene == row]
            for name in sorted(frames.nodes.keys() - {"class", "amodal", "area", "inside"})
            for kind, values in frames.nodes[name].items()}
    return {**{name: getattr(frames.objects, name)[mine] for name in LABELS}, **more}


def _differing(text: str, one: Any, other: Any) -> dict[int, str]:
    """Row -> text, for the rows in which two arrays [S, ...] differ; NaN equals NaN. An array that is missing, or of
    another shape, differs in all rows."""
    if one is None or other is None or one.shape != other.shape:
        return dict.fromkeys(range(max(len(array) for array in (one, other) if array is not None)), text)
    same = (one == other) | ((one != one) & (other != other))
    return dict.fromkeys(np.flatnonzero(~same.all(axis=tuple(range(1, same.ndim)))).tolist(), text)


def _first(scenes: SceneBatch, which: np.ndarray) -> str:
    return name_scenes(scenes.seed, scenes.index[np.flatnonzero(which)[:1]])
