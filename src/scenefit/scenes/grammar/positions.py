"""Positions of siblings drawn jointly: kept apart, in clusters, or both. How strongly is an attribute of the root.

Legend: n nodes of a kind; F families (siblings of one kind); D coordinates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenefit.scenes.arguments import brief
from scenefit.scenes.point_process import joint_positions
from scenefit.scenes.priors import Choice, Compound, Conditional, Constant, Learned, Prior, as_prior

QUARTERS = 0.25, 0.75  # quantiles; twice their distance is the extent of a coordinate, exactly so if it is uniform
NAMES = "spacing", "clusters", "cluster_radius"


@dataclass(frozen=True)
class JointPosition:
    """The conditional prior of one coordinate. of_root: spacing, clusters, cluster_radius -> the root's attribute."""

    axis: str
    axes: tuple[tuple[str, Prior | Conditional], ...]
    of_root: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """For a table of priors."""
        return f"jointly by {' and '.join(name for _, name in self.of_root if not name.endswith('radius'))}"

    def __call__(self, node: Any) -> Prior:
        family = node.family
        _, first = np.unique(family, return_index=True)
        names = [name for name, _ in self.axes]
        priors = [_evaluated(name, prior, node) for name, prior in self.axes]
        extent = np.stack([_extent(prior, len(family))[first] for prior in priors], axis=1)
        given = {name: np.asarray(node.root[own])[first] for name, own in self.of_root}
        none = np.zeros(len(first))
        at = joint_positions(node.address, family, names, extent, given.get("spacing", none).astype(float),
                             given.get("clusters", none).astype(np.int64), given.get("cluster_radius", none))
        number = names.index(self.axis)
        return Constant(priors[number].quantile(at[:, number]))


@dataclass(frozen=True)
class SiblingPosition(Compound):
    """One coordinate of positions drawn jointly, see `positions`."""

    axis: str
    axes: tuple[tuple[str, Prior | Conditional], ...]
    parts: Mapping[str, Prior | Learned]

    def as_learned(self) -> "SiblingPosition":
        raise ValueError(f"learned(...) of the coordinate {self.axis!r} of positions(...): positions drawn jointly are "
                         "learned by their strength; write positions(..., spacing=learned(Uniform(0, 1)))")

    def attributes(self, prefix: str, name: str) -> tuple[Any, Mapping[str, Any]]:
        """The coordinate's own prior, and the root's attributes."""
        if name != self.axis:
            raise ValueError(f"the attribute {name} holds the coordinate {self.axis!r} of positions(...); keep the "
                             f"names, as in {{**sf.positions({self.axis}=..., spacing=...), ...}}")
        own = {part: f"{prefix}_{part}" for part in self.parts}
        return JointPosition(name, self.axes, tuple(own.items())), {own[part]: p for part, p in self.parts.items()}


def positions(spacing: Any = None, clusters: Any = None, cluster_radius: Any = None,
              **axes: Any) -> dict[str, SiblingPosition]:
    """Attributes of objects that keep apart or clump: siblings (one parent's children of one kind) are placed jointly.

    `"cell": {**sf.positions(x=sf.Uniform(0, 64), y=sf.Uniform(0, 48), spacing=sf.learned(sf.Uniform(0, 1)))}` gives
    each cell x and y, and the root the attribute cell_spacing.
    axes: the coordinates, one or more, with their priors, which each coordinate keeps, whatever the rest.
    spacing: 0 to 1: the least distance between siblings, as a share of that in the densest regular arrangement of as
    many; 0 is independent, at 0.3 no two are very close, 0.8 and above is as even as it gets.
    clusters: a prior of whole numbers: the objects stand around so many centres; 0 is no clusters.  cluster_radius: the
    standard deviation around a centre, in the unit of the coordinates; needed with clusters (a Thomas process, Thomas
    1949). Each is a prior, a number or `learned(...)`, and becomes an attribute of the root, as cell_clusters.
    ValueError, naming the argument, for what does not fit.
    """
    given = {name: value if isinstance(value, Learned) else as_prior(value)
             for name, value in zip(NAMES, (spacing, clusters, cluster_radius), strict=True) if value is not None}
    if not axes or not given:
        raise ValueError("positions(...) needs coordinates with their priors, and spacing or clusters: positions("
                         "x=Uniform(0, 64), y=Uniform(0, 64), spacing=0.5)")
    if ("clusters" in given) != ("cluster_radius" in given):
        raise ValueError("positions(...) needs clusters and cluster_radius together: clusters=Integer(1, 4), "
                         "cluster_radius=Uniform(3, 20)")
    for name, part in given.items():
        _check_part(name, part)
    priors = tuple((name, _axis(name, prior)) for name, prior in axes.items())
    return {name: SiblingPosition(name, priors, given) for name in axes}  # type: ignore[arg-type]


def _check_part(name: str, part: Any) -> None:
    prior = part.prior if isinstance(part, Learned) else part
    if not isinstance(prior, Prior):
        raise ValueError(f"positions(...): {name} needs a prior of its own, not a function of the node")
    low, high = (part.bounds if isinstance(part, Learned) else None) or prior.bounds
    numbers = not prior.circular and all(not isinstance(end, str) for end in (low, high))
    takes = {"spacing": "numbers in 0..1, such as Uniform(0, 1)",
             "clusters": "whole numbers >= 0, such as Integer(0, 4)",
             "cluster_radius": "numbers >= 0, such as Uniform(3, 20)"}[name]
    good = numbers and low >= 0 and (name != "spacing" or high <= 1)
    if good and name == "clusters":
        good = (prior.discrete or isinstance(prior, Constant)) and low % 1 == 0 and high % 1 == 0
    if not good:
        raise ValueError(f"positions(...): {name} needs {takes}, got {brief(prior)}")


def _axis(name: str, prior: Any) -> Prior | Conditional:
    """ValueError for a coordinate that is learned, an angle, a text or a single number."""
    if isinstance(prior, Learned):
        raise ValueError(f"positions(...): {name} cannot be learned, since all siblings are placed together; learn "
                         "spacing or clusters, or give the object a plain learned attribute")
    found = as_prior(prior)
    if isinstance(found, Constant | Choice) or (isinstance(found, Prior) and found.circular):
        raise ValueError(f"positions(...): {name} needs a prior of numbers, such as Uniform(0, 64), got {brief(found)}")
    return found


def _evaluated(name: str, prior: Any, node: Any) -> Prior:
    """The prior of a coordinate; a conditional one is evaluated, and checked as others are when made."""
    found = _axis(name, prior if isinstance(prior, Prior) else prior(node))
    assert isinstance(found, Prior)
    return found


def _extent(prior: Prior, n: int) -> Any:
    """Length of the coordinate's range, for each of n nodes [n]."""
    low, high = (np.asarray(prior.quantile(np.full(n, u)), float) for u in QUARTERS)
    return np.maximum(2 * (high - low), 1e-12)
