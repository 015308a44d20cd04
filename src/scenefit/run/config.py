"""What a run was asked: the content of its settings.json, and how two of them differ."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from scenefit.data.formats import LabelPolicy
from scenefit.data.photos import Photos
from scenefit.files.atomic import content_hash
from scenefit.files.versions import versions
from scenefit.inference.settings import Settings
from scenefit.renderers.scene_file import SceneFile


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SceneSource(_Plain):
    """path is absolute; hash as in `SceneFile`."""

    path: str
    hash: str


class PhotoSource(_Plain):
    """path is absolute.  hash: of the images at the renderer's size (and their labels).  skipped: name, reason."""

    path: str
    hash: str
    count: int
    skipped: list[tuple[str, str]] = Field(default_factory=list)


class RunConfig(_Plain):
    """What settings.json holds. size: (height, width) of the images.  keep: of `scenefit.data.formats.Keep`, where
    labelled
    photos have boxes; None for its defaults, too.  flat_field: hash of the camera's pattern that was taken out of the
    photos; their own hashes are of what is left."""

    seed: int = Field(ge=0, lt=2**64)
    settings: dict[str, Any]
    scene: SceneSource
    grammar: dict[str, Any]
    size: tuple[int, int]
    real: PhotoSource
    labelled: PhotoSource | None
    label_policy: dict[str, Any] | None = None
    flat_field: str | None = None
    versions: dict[str, str]
    command: str

    @property
    def identity(self) -> str:
        """Of all that decides what is learned, as far as a run folder can tell."""
        decides = self.model_dump(include={"seed", "settings", "grammar", "size"})
        photos = [None if source is None else source.hash for source in (self.real, self.labelled)]
        kept = [] if self.label_policy is None else [self.label_policy]
        return content_hash(json.dumps([decides, photos, *kept], sort_keys=True).encode())


def make_config(scene: SceneFile, seed: int, settings: Settings, size: tuple[int, int], real: Photos, real_path: Any,
             labelled: Photos | None = None, labelled_path: Any = None, command: str = "",
             label_policy: LabelPolicy | None = None, flat_field: str | None = None) -> RunConfig:
    """The record of a fit to be."""
    few = None if labelled is None else _source(labelled, labelled_path)
    return RunConfig(seed=seed, settings=settings.record(), scene=SceneSource(path=str(scene.path), hash=scene.hash),
                  grammar=_plain(scene.grammar.describe()), size=size, real=_source(real, real_path), labelled=few,
                  label_policy=None if few is None or label_policy in (None, LabelPolicy()) else asdict(label_policy),
                     flat_field=flat_field,
                  versions=versions(), command=command)


def differences(old: RunConfig, new: RunConfig) -> list[str]:
    """What keeps a fit from being the same as another, one line each; [] if nothing does."""
    found = [] if old.seed == new.seed else [f"seed: {old.seed} -> {new.seed}"]
    for name in sorted({*old.settings, *new.settings}):
        before, after = old.settings.get(name), new.settings.get(name)
        if before != after:
            found.append(f"{name}: {before} -> {after}")
    if old.label_policy != new.label_policy:
        before, after = (one.label_policy or "the default" for one in (old, new))
        found.append(f"which objects become labels: {before} -> {after}")
    if old.size != new.size:
        found.append(f"size of the images: {old.size} -> {new.size}")
    if old.flat_field != new.flat_field:
        found.append(f"camera's pattern (--flat-field): {old.flat_field or 'left in'} -> {new.flat_field or 'left in'}")
    for name in ("real", "labelled"):
        before, after = getattr(old, name), getattr(new, name)
        if (before and before.hash) != (after and after.hash):
            found.append(f"{name} photos: {_name_photos(before)} -> {_name_photos(after)}")
    return found + grammar_changes(old.grammar, new.grammar)


def grammar_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between two `Grammar.describe()`, one line each."""
    old, new = _plain(old), _plain(new)
    if old == new:
        return []
    found = [] if old.get("start") == new.get("start") else [f"start: {old.get('start')} -> {new.get('start')}"]
    flat = [{f"{kind}.{name}": text for kind, several in part.get("symbols", {}).items()
             for name, text in several.items()} for part in (old, new)]
    for name in dict.fromkeys([*flat[0], *flat[1]]):
        before, after = flat[0].get(name, "not there"), flat[1].get(name, "not there")
        if before != after:
            found.append(f"{name}: {before} -> {after}")
    kinds = [set(part.get("symbols", {})) for part in (old, new)]
    found += [f"symbol {kind}: {'removed' if kind in kinds[0] else 'added'}" for kind in sorted(kinds[0] ^ kinds[1])]
    rules = [part.get("rules", []) for part in (old, new)]
    found += [f"rule removed: {rule}" for rule in rules[0] if rule not in rules[1]]
    found += [f"rule added: {rule}" for rule in rules[1] if rule not in rules[0]]
    return found or ["the order of symbols, attributes or rules"]


def hash_photos(photos: Photos) -> str:
    """Of the images and their labels, classes or boxes."""
    labels = content_hash("\n".join(photos.label.tolist()).encode())
    if photos.boxes is not None:
        labels = content_hash(b"\n".join([labels.encode(), photos.boxes.to_bytes()]))
    return content_hash(f"{photos.hash} {labels}".encode())


def _source(photos: Photos, path: Any) -> PhotoSource:
    skipped = [(str(name), reason) for name, reason in photos.skipped]
    return PhotoSource(path=str(Path(path).resolve()), hash=hash_photos(photos), count=len(photos), skipped=skipped)


def _name_photos(source: PhotoSource | None) -> str:
    return "none" if source is None else f"{source.count} in {source.path} ({source.hash[:8]})"


def _plain(value: Any) -> Any:
    """As it comes back from JSON."""
    return json.loads(json.dumps(value))
