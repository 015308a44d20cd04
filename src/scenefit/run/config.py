"""The configuration of a run, the content of its settings.json, and how two of them differ."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from scenefit.data.copies import photo_hashes
from scenefit.data.formats import LabelPolicy
from scenefit.data.label_policy import policy_of_record
from scenefit.data.photos import Photos
from scenefit.files.atomic import content_hash
from scenefit.files.json_files import CorruptFile, read_json
from scenefit.files.versions import versions
from scenefit.inference.settings import Settings, flatten
from scenefit.inference.stages.former_methods import FORMER_SETTINGS
from scenefit.renderers.scene_file import SceneFile
from scenefit.scenes.grammar.changes import grammar_changes, is_description

FORMAT = 1  # of run folders; one of another format is refused


class RunError(ValueError):
    """A run folder that cannot be used as asked."""


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SceneSource(_Config):
    """path is absolute; hash as in `SceneFile`; given: the path as it was typed, which reports show."""

    path: str
    hash: str
    given: str = ""  # of runs that do not record it

    @property
    def shown(self) -> str:
        return self.given or Path(self.path).name


class PhotoSource(_Config):
    """path, given: as in `SceneSource`.  hash: of the images at the renderer's size and of their labels.  skipped:
    name, reason.  files: `scenefit.data.copies.photo_hashes`, by which evaluations of detectors know the photos again;
    none of runs that do not record them."""

    path: str
    hash: str
    count: int
    skipped: list[tuple[str, str]] = Field(default_factory=list)
    given: str = ""
    files: list[str] = Field(default_factory=list)

    @property
    def shown(self) -> str:
        return self.given or Path(self.path).name


class RunConfig(_Config):
    """The content of settings.json. format: `FORMAT`.  size: (height, width) of the images.  label_policy: of
    `LabelPolicy`, if labelled photos have boxes; None for its defaults.  flat_field: hash of the flat field that the
    photos were corrected by; the hashes of the photos are of the corrected images."""

    format: int = FORMAT
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
    def policy(self) -> LabelPolicy | None:
        """The fit's label policy, which holds for its renders unless another is given; None for the default."""
        return None if self.label_policy is None else policy_of_record(self.label_policy)

    @property
    def identity(self) -> str:
        """A hash of all that decides the result of the fit, as far as a run folder can tell."""
        deciding = self.model_dump(include={"seed", "settings", "grammar", "size"})
        photos = [None if source is None else source.hash for source in (self.real, self.labelled)]
        policy = [] if self.label_policy is None else [self.label_policy]
        return content_hash(json.dumps([deciding, photos, *policy], sort_keys=True).encode())


def make_config(scene: SceneFile, seed: int, settings: Settings, size: tuple[int, int], real: Photos, real_path: Any,
                labelled: Photos | None = None, labelled_path: Any = None, command: str = "",
                label_policy: LabelPolicy | None = None, flat_field: str | None = None,
                scene_path: Any = "") -> RunConfig:
    """The configuration of a fit. scene_path: as it was typed."""
    few = None if labelled is None else _source(labelled, labelled_path)
    policy = None if few is None or label_policy in (None, LabelPolicy()) else label_policy.to_dict()
    source = SceneSource(path=str(scene.path), hash=scene.hash, given=str(scene_path))
    return RunConfig(seed=seed, settings=settings.record(), scene=source,
                     grammar=_from_json(scene.grammar.describe()), size=size, real=_source(real, real_path),
                     labelled=few, label_policy=policy, flat_field=flat_field, versions=versions(), command=command)


def read_record(path: Path, form: type[Any], fix: str) -> Any:
    """A JSON file as form, a pydantic model. CorruptFile, naming what is wrong and where, and ending in fix."""
    return as_record(read_json(path, fix, dict), path, form, fix)


def as_record(value: Any, path: Path, form: type[Any], fix: str) -> Any:
    """A JSON value as form, a pydantic model or a dataclass; otherwise as `read_record`."""
    try:
        return TypeAdapter(form).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise CorruptFile(f"{path} is damaged: {where}: {first['msg']}; {fix}") from error


def read_config(path: Path) -> RunConfig:
    """The settings.json of a run. CorruptFile if it is damaged, RunError if it is of another format."""
    fix = "restore it from a copy, or remove the folder and run the same fit again"
    data = read_json(path, fix, dict)
    if "settings" in data and data.get("format") != FORMAT:
        raise RunError(f"{path.parent} was written by another version of scenefit (its format is "
                       f"{data.get('format', 'not recorded')}, and this version reads format {FORMAT}); run the fit "
                       "again into a new folder")
    config: RunConfig = as_record(data, path, RunConfig, fix)
    if not is_description(config.grammar):
        raise CorruptFile(f"{path} is damaged: grammar: needs symbols with their attributes, and a list of rules; "
                          f"{fix}")
    return config


def differences(old: RunConfig, new: RunConfig) -> list[str]:
    """The differences between two fits, one line each; [] if their results are the same."""
    found = [] if old.seed == new.seed else [f"seed: {old.seed} -> {new.seed}"]
    settings = [flatten(one.settings) for one in (old, new)]
    for name in sorted({*settings[0], *settings[1]} - FORMER_SETTINGS):
        before, after = (one.get(name) for one in settings)
        if before != after:
            found.append(f"{name}: {before} -> {after}")
    if old.label_policy != new.label_policy:
        before, after = (one.label_policy or "the default" for one in (old, new))
        found.append(f"label policy: {before} -> {after}")
    if old.size != new.size:
        found.append(f"size of the images: {old.size} -> {new.size}")
    if old.flat_field != new.flat_field:
        found.append(f"flat field (--flat-field): {old.flat_field or 'not corrected'} -> "
                     f"{new.flat_field or 'not corrected'}")
        if old.flat_field is None:
            found[-1] += " (--flat-field none does not correct it)"
    for name in ("real", "labelled"):
        before, after = getattr(old, name), getattr(new, name)
        if (before and before.hash) != (after and after.hash):
            found.append(f"{name} photos: {_describe_photos(before)} -> {_describe_photos(after)}")
    return found + grammar_changes(old.grammar, new.grammar)


def hash_photos(photos: Photos) -> str:
    """Hash of the images and their labels, classes, boxes or masks."""
    labels = content_hash("\n".join(photos.label.tolist()).encode())
    if photos.boxes is not None:
        labels = content_hash(b"\n".join([labels.encode(), photos.boxes.to_bytes()]))
    if photos.masks is not None:
        labels = content_hash(b"\n".join([labels.encode(), photos.masks.to_bytes()]))
    return content_hash(f"{photos.hash} {labels}".encode())


def _source(photos: Photos, path: Any) -> PhotoSource:
    skipped = [(str(name), reason) for name, reason in photos.skipped]
    return PhotoSource(path=str(Path(path).resolve()), hash=hash_photos(photos), count=len(photos), skipped=skipped,
                       given=str(path), files=sorted(set(photo_hashes(photos))))


def _describe_photos(source: PhotoSource | None) -> str:
    return "none" if source is None else f"{source.count} in {source.path} ({source.hash[:8]})"


def _from_json(value: Any) -> Any:
    """The value as it is read back from JSON."""
    return json.loads(json.dumps(value))
