"""Files of results in a run folder: scores and detections.
"""

import json
from pathlib import Path
from typing import Any

import torch

from scenefit.data.boxes import make_boxes
from scenefit.evaluation.evaluate import BASELINES, Evaluation, Predictions, Progress
from scenefit.files.atomic import content_hash, write_json
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.run.folder import RunError, read_json

AGAIN = "delete it, or run scenefit evaluate again"


def write_evaluation(path: str | Path, found: Evaluation) -> None:
    write_json(path, found.model_dump(mode="json"))


def read_evaluation(path: str | Path) -> Evaluation | None:
    """What `write_evaluation` wrote; None if there is no such file. RunError if it is damaged."""
    path = Path(path)
    if not path.exists():
        return None
    found: Any = read_json(path, Evaluation, AGAIN)
    if set(found.distances) != set(BASELINES) or set(found.values) - set(BASELINES):
        raise RunError(f"{path} is damaged: it needs the arms {', '.join(BASELINES)}; {AGAIN}")
    return found


def write_progress(path: str | Path, piece: Progress, asked: Any) -> None:
    """Keep what is measured so far. asked: all that decides the score, as plain JSON values."""
    boxes = {arm: found.boxes for arm, found in piece.predictions.items()}
    tensors = {f"{arm} {name}": torch.from_numpy(getattr(of, name)) for arm, of in boxes.items()
               for name in ("image", "box", "score")}
    found = {arm: {"count": boxes[arm].count, "name": boxes[arm].name.tolist(), "threshold": one.threshold}
             for arm, one in piece.predictions.items()}
    # The score as a text: facts are sorted by their keys, and arms have an order.
    write_tensors(path, tensors, {"asked": _hash(asked), "text": piece.text, "done": piece.done, "of": piece.of,
                                  "score": json.dumps(piece.evaluation.model_dump()), "found": found})


def read_progress(path: str | Path, asked: Any) -> Progress | None:
    """What `write_progress` wrote last; None if there is nothing, or it was asked something else. DamagedFile."""
    if not Path(path).exists():
        return None
    tensors, facts = read_tensors(path, "delete it: the evaluation starts over")
    if facts.get("asked") != _hash(asked):
        return None
    found = {}
    for arm, one in facts["found"].items():
        image, box, score = (tensors[f"{arm} {name}"].numpy() for name in ("image", "box", "score"))
        found[arm] = Predictions(make_boxes(one["count"], image, box, one["name"], score), one["threshold"])
    return Progress(facts["text"], facts["done"], facts["of"], Evaluation.model_validate(json.loads(facts["score"])),
                    found)


def _hash(asked: Any) -> str:
    return content_hash(json.dumps(asked, sort_keys=True).encode())
