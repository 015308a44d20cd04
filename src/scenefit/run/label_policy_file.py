"""The file of a label policy that was read from labelled photos."""

import math
from dataclasses import asdict
from pathlib import Path

from scenefit.data.label_policy import policy_of_record
from scenefit.files.atomic import write_json
from scenefit.files.json_files import CorruptFile, read_json
from scenefit.inference.conventions.masks import MaskOutlines
from scenefit.inference.conventions.policy import PolicyFit

AGAIN = "delete it: the policy is read from the labels again"
FIT_AGAIN = "delete it and report.html, and run the same scenefit fit again, which reads the policy from the labels"
FILE = "label_policy.json"  # in a run's folder: what its fit read


def kept_label_policy(run: Path) -> PolicyFit | None:
    """What the fit of a run's folder read from labelled photos, if it did. CorruptFile."""
    path = run / FILE
    return read_policy_fit(path, FIT_AGAIN) if path.exists() else None


def write_policy_fit(path: Path, found: PolicyFit) -> None:
    outlines = {} if found.outlines is None else {"outlines": asdict(found.outlines)}
    write_json(path, {**vars(found), "policy": found.policy.to_dict(), **outlines})


def read_policy_fit(path: Path, fix: str = AGAIN) -> PolicyFit:
    """What `write_policy_fit` wrote. CorruptFile, which says the fix."""
    kept = read_json(path, fix, dict)
    try:
        outlines = kept.get("outlines")  # not recorded by versions that read boxes alone
        return _checked(PolicyFit(**{**kept, "policy": policy_of_record(kept["policy"]),
                                     "outside": tuple(kept["outside"]),
                                     "outlines": None if outlines is None else MaskOutlines(**outlines)}))
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptFile(f"{path} is damaged ({error}); {fix}") from error


def _checked(found: PolicyFit) -> PolicyFit:
    """The same. ValueError where its values are none that `fit_label_policy` gives."""
    for name in ("gains", "margins", "errors"):
        values = getattr(found, name)
        if not (isinstance(values, dict) and all(isinstance(v, int | float) and math.isfinite(v)
                                                 for v in values.values())):
            raise ValueError(f"its {name} must be numbers by their names")
    if not (set(found.outside) <= set(found.margins) == set(found.errors)):
        raise ValueError("its margins, errors and outside must be of the same classes")
    if not all(type(count) is int for count in (found.labels, found.matched)):
        raise ValueError("its labels and matched must be whole numbers")
    if found.outlines is not None and not all(
            math.isfinite(value) if isinstance(value, int | float) else value is None and name in ("margin", "error")
            for name, value in vars(found.outlines).items()):
        raise ValueError("its outlines must be numbers")
    return found
