"""Values of one attribute before and after learning.

Legend: n values.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Prediction(NamedTuple):
    """How well an attribute is predicted on held-out renders. None: not measured.

    r2: share of its variance that is predicted.  cover50, cover90: share of truths in the central 50 and 90 % of the
    posterior.  width90: of the posterior's 90 % interval, relative to the prior's.  inferred: whether it was learned
    from predictions; otherwise it kept its prior.
    """

    inferred: bool
    r2: float | None = None
    cover50: float | None = None
    cover90: float | None = None
    width90: float | None = None


@dataclass(frozen=True, eq=False)
class AttributeContent:
    """Values of one attribute before and after learning, and the true ones if known. Each [n], numbers or strings.

    circular: the values are degrees.  low, high: the bounds of learning, None if there are none.
    at_bound: "low" or "high" if the learned values accumulate at that bound, else "".  natural: that bound is the
    quantity's own limit, such as 0 of a blur, so that it cannot be widened.  prediction: None where nothing of the kind
    was measured.
    """

    kind: str
    name: str
    before: Any
    after: Any
    truth: Any = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    circular: bool = False
    at_bound: str = ""
    natural: bool = False
    prediction: Prediction | None = None

    def __post_init__(self) -> None:
        if self.at_bound not in ("", "low", "high"):
            raise ValueError(f"{self.label}: at_bound must be '', 'low' or 'high', got {self.at_bound!r}")

    @property
    def label(self) -> str:
        return f"{self.kind}.{self.name}"

    @property
    def values(self) -> dict[str, NDArray[Any]]:
        """Role ("before", "after", "truth") -> values [n]; numbers that are not finite are left out."""
        found = {}
        for role in ("before", "after", "truth"):
            if getattr(self, role) is not None:
                values = np.ravel(np.asarray(getattr(self, role)))
                found[role] = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        return found

    @property
    def warning(self) -> str:
        """"" or one sentence that names the bound and the fix; none of a natural bound, which has no fix."""
        if not self.at_bound or self.natural:
            return ""
        word, bound = ("lower", self.low) if self.at_bound == "low" else ("upper", self.high)
        at = "" if bound is None else f" ({bound:.4g}{' ' + self.unit if self.unit else ''})"
        return f"{self.label} is at its {word} bound{at}: the photos may lie beyond it, so widen the bound if you can."

    @property
    def at_bound_text(self) -> str:
        """"" or which bound the learned values lie at."""
        if not self.at_bound:
            return ""
        word, bound = ("lower", self.low) if self.at_bound == "low" else ("upper", self.high)
        return f"{word}{'' if bound is None else f' ({bound:.4g})'}{', natural' if self.natural else ''}"

    @property
    def change(self) -> float:
        """Total variation distance between before and after, 0..1; of numbers, over twenty quantile bins of before."""
        found = self.values
        if any(len(found[role]) == 0 for role in ("before", "after")):
            return 0.0
        before, after = found["before"], found["after"]
        if before.dtype.kind not in "iufb" or after.dtype.kind not in "iufb":
            before, after = before.astype(str), after.astype(str)
            return 0.5 * float(sum(abs(np.mean(before == name) - np.mean(after == name))
                                   for name in {*before.tolist(), *after.tolist()}))
        edges = np.quantile(before, np.linspace(0, 1, 21)[1:-1])  # twenty bins of equal share
        shares = [np.bincount(np.searchsorted(edges, values), minlength=20) / len(values) for values in (before, after)]
        return 0.5 * float(np.abs(shares[0] - shares[1]).sum())
