"""Attributes that vary within an image and between images: each image has a mean and a spread, objects vary around it.

Hierarchical (multilevel) priors, see Gelman et al. 2013, chapter 5. Mean and spread are attributes of the root, so that
they are learned together with the image's other attributes. Legend: n nodes of a kind.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from scenefit.scenes.arguments import brief
from scenefit.scenes.log_priors import LogNormal
from scenefit.scenes.priors import Angle, Choice, Compound, Constant, Learned, Normal, Prior, as_prior, learned

WIDER = 3.0  # objects reach so many of the largest spread beyond the means, where nothing else bounds them
LEAST = 0.25  # of the lowest mean: what is above 0 in every image's mean stays above that in objects
TINY = 1e-9  # least standard deviation, as a share of the range: a learned spread may be 0

Attributes = Mapping[str, Any]


@dataclass(frozen=True)
class Around:
    """The conditional prior of an attribute around its image's mean. mean, spread: attributes of the root."""

    mean: str
    spread: str
    low: float
    high: float
    form: Literal["number", "log", "angle"]

    @property
    def text(self) -> str:
        """For a table of priors."""
        return f"around {self.mean}"

    def __call__(self, node: Any) -> Prior:
        mean, sd = node.root[self.mean], np.maximum(node.root[self.spread], TINY)
        if self.form == "angle":
            return Angle(mean, sd)
        if self.form == "log":
            return LogNormal(mean, sd, self.low, self.high)
        return Normal(mean, np.maximum(sd, TINY * np.abs(mean)), self.low, self.high)


@dataclass(frozen=True)
class Varying(Compound):
    """An attribute that varies around its image's mean, see `varying`; `Grammar` makes three attributes of it."""

    mean: Prior | Learned
    spread: Prior | Learned
    low: float | None = None
    high: float | None = None

    def as_learned(self) -> "Varying":
        """Mean and spread learned, unless they are single numbers."""
        return replace(self, mean=_learned(self.mean), spread=_learned(self.spread))

    def attributes(self, prefix: str, name: str) -> tuple[Any, Attributes]:
        """The attribute's own prior, and those that the root gets: names start with prefix."""
        mean, spread, inner = f"{prefix}_{name}_mean", f"{prefix}_{name}_spread", _inner(self.mean)
        form: Any = "angle" if inner.circular else "log" if inner.logarithmic else "number"
        return Around(mean, spread, *self._reach(), form), {mean: self.mean, spread: self.spread}

    def _reach(self) -> tuple[float, float]:
        """Between what values an object's may lie."""
        low, high = (float(end) for end in _ends(self.mean))
        spread = WIDER * float(_ends(self.spread)[1])
        if _inner(self.mean).circular:
            return low, high
        if _inner(self.mean).logarithmic:
            with np.errstate(over="ignore"):
                lowest, highest = low * float(np.exp(-spread)), high * float(np.exp(spread))
        else:
            lowest = max(low - spread, LEAST * low) if low >= 0 else low - spread
            highest = min(high + spread, 1.0) if low >= 0 and high <= 1 else high + spread
        return lowest if self.low is None else self.low, highest if self.high is None else self.high


def varying(mean: Any, spread: Any, low: float | None = None, high: float | None = None) -> Varying:
    """An attribute of objects that varies within images and between them: a mean and a spread for each image.

    `"cell": {"r": sf.learned(sf.varying(sf.Uniform(4, 12), spread=sf.Uniform(0, 3)))}` gives the root the attributes
    cell_r_mean and cell_r_spread, both learned, and each cell an r that is normal around its image's mean.
    mean: a prior of numbers or an angle; objects are log-normal around a `LogUniform` or `LogNormal` mean.
    spread: a prior of the standard deviation, >= 0, in the unit of the attribute (degrees for angles); of a log-normal,
    that of the natural logarithm: 0.1 is about 10 %. Either may be a number, or `learned(...)` alone.
    low, high: what an object's value is truncated to. By default 3 of the largest spread beyond the means' range; where
    no mean is below 0, not below a quarter of the lowest; where all are in 0..1, not above 1.
    ValueError for other priors, a negative spread, or bounds that exclude a mean.
    """
    found = Varying(_part("mean", mean), _part("spread", spread), low, high)
    inner = _inner(found.mean)
    if isinstance(inner, Choice) or inner.discrete or (isinstance(inner, Constant) and isinstance(inner.value, str)):
        raise ValueError(f"varying(mean, spread): mean needs a prior of numbers or an angle, got {brief(inner)}; whole "
                         "numbers and choices do not vary around a mean")
    spreads = _ends(found.spread)
    if _inner(found.spread).circular or not spreads[0] >= 0 or not spreads[1] > 0:
        raise ValueError("varying(mean, spread): spread needs a prior of numbers >= 0 (a standard deviation), such as "
                         f"Uniform(0, 3), got {brief(_inner(found.spread))}")
    if inner.circular and not (low is None and high is None):
        raise ValueError(f"varying({brief(inner)}, ...): an angle has no low and high")
    ends = _ends(found.mean)
    for bound, bad in ((low, low is not None and low > ends[0]), (high, high is not None and high < ends[1])):
        if bad:
            raise ValueError(f"varying(mean, spread, low, high): the mean reaches {ends[0]:g}..{ends[1]:g}, beyond the "
                             f"objects' bound {bound:g}; narrow the mean, or widen the bound")
    return found


def expanded(start: str, symbols: Mapping[str, Attributes]) -> dict[str, dict[str, Any]]:
    """Symbols without compound priors: each becomes plain attributes of its kind and of the root.

    ValueError, naming the attribute, for one of the root, or where the root has the attribute already.
    """
    out = {kind: dict(attributes) for kind, attributes in symbols.items()}
    for kind, attributes in symbols.items():
        for name, value in attributes.items():
            if not isinstance(value, Compound):
                continue
            if kind == start:
                raise ValueError(f"{kind}.{name}: {type(value).__name__.lower()} is of several objects in an image, "
                                 f"but an image has one {kind}; write learned(prior)")
            out[kind][name], of_root = value.attributes(_prefix(kind), name)
            for other, prior in of_root.items():
                if out[start].setdefault(other, prior) is not prior:
                    raise ValueError(f"{kind}.{name}: {start} has an attribute {other} already, which is to hold what "
                                     f"the image's {kind} share; rename it")
    return out


def _prefix(kind: str) -> str:
    """A kind as the start of an attribute's name."""
    name = re.sub(r"\W+", "_", kind).strip("_")
    return name if name.isidentifier() else f"kind_{name}"


def _part(name: str, value: Any) -> Prior | Learned:
    given = value if isinstance(value, Learned) else as_prior(value)
    if not isinstance(given.prior if isinstance(given, Learned) else given, Prior):
        raise ValueError(f"varying(mean, spread): {name} needs a prior of its own, not a function of the node; where "
                         "it depends on others, give the root an attribute and write lambda node: "
                         "sf.Normal(node.root[...], ...)")
    return given  # type: ignore[return-value]


def _inner(part: Prior | Learned) -> Any:
    return part.prior if isinstance(part, Learned) else part


def _ends(part: Prior | Learned) -> tuple[Any, Any]:
    return part.bounds or _inner(part).bounds if isinstance(part, Learned) else part.bounds


def _learned(part: Prior | Learned) -> Prior | Learned:
    return part if isinstance(part, Learned | Constant) else learned(part)  # type: ignore[return-value]
