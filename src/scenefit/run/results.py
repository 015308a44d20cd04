"""Files of results in a run folder: summary and samples of the fit, its evaluation, and what networks predict.

Each but evaluation.json holds the identity of its run, so that a file copied from another run is noticed.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scenefit.data.boxes import make_boxes
from scenefit.data.class_masks import ClassMasks
from scenefit.evaluation.evaluate import BASELINES, Evaluation, Predictions, Progress
from scenefit.evaluation.summary import OutlierPhotos, Samples, Summary
from scenefit.files.atomic import content_hash, write_json
from scenefit.files.json_files import CorruptFile, parse_json
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.report.content import (
    BaselineDetections,
    BaselineMasks,
    Detections,
    ErrorAnalysis,
    LabelConvention,
    MaskConvention,
    Segmentations,
)
from scenefit.run.config import RunError, as_record, read_record

SUMMARISE_AGAIN = "run scenefit report on the folder with --real DIR, which writes it again"
SEGMENTATIONS = "segmentations.safetensors"
EVALUATE_AGAIN = "delete it, or run scenefit evaluate again"


class RunSummary(Summary):
    """The content of summary.json. renders, trainings, cpu_seconds: of the fit.  run: identity of the run."""

    renders: int
    trainings: int
    cpu_seconds: float
    run: str


def read_summary(path: Path, owner: str) -> RunSummary:
    """CorruptFile if the file is missing or damaged, RunError if it is of another run than owner."""
    found: RunSummary = read_record(path, RunSummary, SUMMARISE_AGAIN)
    _check_owner(path, found.run, owner)
    return found


def write_samples(path: Path, samples: Samples, owner: str) -> None:
    tensors: dict[str, NDArray[Any]] = {"photos": samples.photos, "prior": samples.prior,
                                        "learned": samples.learned}
    if samples.outliers is not None:
        share = np.array([samples.outliers.share_prior, samples.outliers.share_learned])
        tensors |= {"far": samples.outliers.images, "far_by": samples.outliers.score, "far_share": share}
    write_tensors(path, {name: torch.from_numpy(part.copy()) for name, part in tensors.items()}, {"run": owner})


def read_samples(path: Path, owner: str) -> Samples:
    """The samples that `write_samples` wrote. RunError if they are of another run than owner; CorruptFile."""
    tensors, metadata = read_tensors(path, SUMMARISE_AGAIN)
    _check_owner(path, metadata.get("run"), owner)
    found = {name: value.numpy() for name, value in tensors.items()}
    with _well_formed(path, SUMMARISE_AGAIN):
        for name in ("photos", "prior", "learned", *({"far"} & set(found))):
            if found[name].dtype != np.uint8 or found[name].ndim != 4 or found[name].shape[-1] != 3:
                raise ValueError(f"{name} are {found[name].dtype} {list(found[name].shape)}, no images [k, H, W, 3]")
        if "far" in found and found["far_by"].shape != found["far"].shape[:1]:
            raise ValueError(f"far_by are {list(found['far_by'].shape)}, no scores [{len(found['far'])}]")
        far = OutlierPhotos(found["far"], found["far_by"], *found["far_share"].tolist()) if "far" in found else None
        return Samples(found["photos"], found["prior"], found["learned"], far)


def write_evaluation(path: Path, found: Evaluation) -> None:
    write_json(path, found.model_dump(mode="json"))


def read_evaluation(path: Path) -> Evaluation | None:
    """The evaluation that `write_evaluation` wrote; None if there is no file. CorruptFile if it is damaged."""
    if not path.exists():
        return None
    found: Evaluation = read_record(path, Evaluation, EVALUATE_AGAIN)
    if set(found.distances) != set(BASELINES) or set(found.metrics) - set(BASELINES):
        raise CorruptFile(f"{path} is damaged: it needs the baselines {', '.join(BASELINES)}; {EVALUATE_AGAIN}")
    return found


def write_progress(path: Path, step: Progress, plan: Any) -> None:
    """Save an unfinished evaluation. plan: all that decides its result, as plain JSON values."""
    boxes = {name: one.boxes for name, one in step.predictions.items()}
    tensors = {f"{name} {part}": torch.from_numpy(getattr(of, part)) for name, of in boxes.items()
               for part in ("image", "box", "score")}
    tensors |= {f"{name} masks": torch.from_numpy(one.masks) for name, one in step.masks.items()}
    predictions = {name: {"count": boxes[name].count, "name": boxes[name].name.tolist(), "threshold": one.threshold}
                   for name, one in step.predictions.items()}
    # The evaluation as a text, because metadata are sorted by their keys and baselines have an order.
    write_tensors(path, tensors, {"plan": _hash(plan), "text": step.text, "done": step.done, "of": step.of,
                                  "evaluation": json.dumps(step.evaluation.model_dump()),
                                  "predictions": predictions,
                                  "masks": {name: list(one.classes) for name, one in step.masks.items()}})


def read_progress(path: Path, plan: Any) -> Progress | None:
    """The step that `write_progress` wrote last; None if there is none, or it is of another plan. CorruptFile."""
    fix = "delete it: the evaluation starts over"
    if (found := _read_own(path, fix, "plan", _hash(plan))) is None:
        return None
    tensors, metadata = found
    with _well_formed(path, fix):
        predictions = {}
        for name, one in metadata["predictions"].items():
            image, box, score = (tensors[f"{name} {part}"].numpy() for part in ("image", "box", "score"))
            predictions[name] = Predictions(make_boxes(one["count"], image, box, one["name"], score), one["threshold"])
        evaluation = as_record(parse_json(metadata["evaluation"], path, fix), path, Evaluation, fix)
        masks = {name: ClassMasks(tuple(classes), tensors[f"{name} masks"].numpy())
                 for name, classes in metadata["masks"].items()}
        return Progress(metadata["text"], metadata["done"], metadata["of"], evaluation, predictions, masks)


def write_detections(path: Path, detections: Detections, owner: str) -> None:
    baselines = [{"baseline": one.baseline, "box": [part.tolist() for part in one.box],
                  "true": [part.tolist() for part in one.true], "hit": [part.tolist() for part in one.hit],
                  "counts": list(one.counts), "false_at": list(one.false_at), "threshold": one.threshold}
                 for one in detections.baselines]
    images = {"images": detections.images}
    facts = {"run": owner, "truth": [part.tolist() for part in detections.truth], "baselines": baselines,
             "photos": detections.photos, "recalls": list(detections.recalls), "note": detections.note}
    if detections.errors is not None:
        facts["errors"] = asdict(detections.errors)
    if detections.convention is not None:
        images["renders"] = detections.convention.renders
        facts["convention"] = [detections.convention.text, [part.tolist() for part in detections.convention.box]]
    write_tensors(path, {name: torch.from_numpy(part.copy()) for name, part in images.items()}, facts)


def read_detections(path: Path, owner: str) -> Detections | None:
    """What `write_detections` wrote; None if there is no file, or it is of another run than owner. CorruptFile."""
    if (own := _read_own(path, EVALUATE_AGAIN, "run", owner)) is None:
        return None
    tensors, metadata = own
    with _well_formed(path, EVALUATE_AGAIN):
        baselines = [BaselineDetections(one["baseline"], _boxes(one["box"]), _masks(one["true"]), _masks(one["hit"]),
                                        tuple(one["counts"]), one["false_at"], one["threshold"])
                     for one in metadata["baselines"]]
        errors, convention = None, None  # of evaluations by earlier versions
        if "errors" in metadata:
            errors = as_record(metadata["errors"], path, ErrorAnalysis, EVALUATE_AGAIN)
        if "convention" in metadata:
            text, box = metadata["convention"]
            convention = LabelConvention(str(text), tensors["renders"].numpy(), _boxes(box))
        found = Detections(tensors["images"].numpy(), _boxes(metadata["truth"]), baselines, metadata["photos"],
                           metadata["recalls"], metadata["note"], errors, convention)
        for one in baselines:
            _check_baseline(one, found)
        return found


def write_segmentations(path: Path, shown: Segmentations, owner: str) -> None:
    tensors = {"images": shown.images, "truth": shown.truth}
    tensors |= {f"masks {one.baseline}": one.masks for one in shown.baselines}
    facts = {"run": owner, "classes": list(shown.classes), "photos": shown.photos, "note": shown.note,
             "baselines": json.dumps([[one.baseline, one.headline, one.details] for one in shown.baselines])}
    if shown.convention is not None:
        tensors |= {"renders": shown.convention.renders, "render masks": shown.convention.masks}
        facts["convention"] = shown.convention.text
    write_tensors(path, {name: torch.from_numpy(np.array(part)) for name, part in tensors.items()}, facts)


def read_segmentations(path: Path, owner: str) -> Segmentations | None:
    """What `write_segmentations` wrote; None if there is no file, or it is of another run than owner. CorruptFile."""
    if (own := _read_own(path, EVALUATE_AGAIN, "run", owner)) is None:
        return None
    tensors, metadata = own
    with _well_formed(path, EVALUATE_AGAIN):
        found = {name: value.numpy() for name, value in tensors.items()}
        named: Sequence[Sequence[str]] = json.loads(metadata["baselines"])
        baselines = [BaselineMasks(name, found[f"masks {name}"], str(headline), str(details))
                     for name, headline, details in named]
        convention = MaskConvention(str(metadata["convention"]), found["renders"], found["render masks"]) \
            if "convention" in metadata else None
        return Segmentations(found["images"], found["truth"], [str(name) for name in metadata["classes"]], baselines,
                             int(metadata["photos"]), str(metadata["note"]), convention)


def _check_baseline(one: BaselineDetections, found: Detections) -> None:
    """ValueError where the parts of a baseline's detections do not belong together."""
    numbers = [*one.counts, *(n for n in one.false_at if n is not None)]
    good = {"baseline": isinstance(one.baseline, str), "threshold": isinstance(one.threshold, float | int),
            "counts": len(one.counts) == 3 and all(type(n) is int for n in numbers),
            "false_at": len(one.false_at) == len(found.recalls),
            "true": [len(part) for part in one.true] == [len(part) for part in one.box],
            "hit": [len(part) for part in one.hit] == [len(part) for part in found.truth]}
    if not all(good.values()):
        raise ValueError(", ".join(name for name, fine in good.items() if not fine))


def _read_own(path: Path, fix: str, key: str, value: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """Tensors and metadata of a file; None if there is no file, or its metadata have another value. CorruptFile."""
    if not path.exists():
        return None
    tensors, metadata = read_tensors(path, fix)
    return (tensors, metadata) if metadata.get(key) == value else None


@contextmanager
def _well_formed(path: Path, fix: str) -> Iterator[None]:
    """CorruptFile, ending in fix, where a block finds the parts of a file missing or of another form."""
    try:
        yield
    except (CorruptFile, RunError):
        raise
    except KeyError as error:
        raise CorruptFile(f"{path} is damaged: it has no {error.args[0]}; {fix}") from error
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise CorruptFile(f"{path} is damaged: a part of it has another form than scenefit writes ({error}); {fix}"
                          ) from error


def _boxes(parts: list[list[list[float]]]) -> list[np.ndarray]:
    return [np.array(part, float).reshape(-1, 4) for part in parts]


def _masks(parts: list[list[bool]]) -> list[np.ndarray]:
    return [np.array(part, bool) for part in parts]


def _check_owner(path: Path, found: str | None, owner: str) -> None:
    if found != owner:
        raise RunError(f"{path} belongs to another run than {path.with_name('settings.json')}; {SUMMARISE_AGAIN}")


def _hash(plan: Any) -> str:
    return content_hash(json.dumps(plan, sort_keys=True).encode())
