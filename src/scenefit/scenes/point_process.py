"""Joint positions of siblings in the unit cube: independent, clustered (a Thomas process), or kept apart (soft cores).

All are functions of the nodes' addresses, so that a scene is the same in any batch, and each coordinate stays uniform
in 0..1. Legend: n nodes in F families (siblings of one kind); K siblings; D dimensions.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from scenefit.scenes.rng import Address, fold_in, name_hash, uniform

STEPS = 16  # of relaxation; more bring nearest neighbours little closer to the wanted distance
PUSH = 0.45  # of the overlap of two points that each of them moves in a step
RENEWED = 8  # steps after which the pairs that may come close are searched again
REACH = 2.0  # pairs farther apart than so many of the wanted distances are left out
BLOCK = 1 << 15  # pairs measured at once, so that they stay in the cache
EDGE = 2.0**-53  # least distance from 0 and 1

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def joint_positions(address: Address, family: Ints, axes: Sequence[str], extent: Floats, spacing: Floats,
                    clusters: Ints, radius: Floats) -> Floats:
    """Positions [n, D] in (0, 1); with neither spacing nor clusters those of `uniform(address, axis)`.

    address: of the nodes [n].  family: number of each node's family, 0 to F - 1 [n]; siblings in their order.
    axes: names of the coordinates [D].  extent: length of each in one common unit [F, D].
    spacing: 0..1 [F], the least distance aimed at between siblings, as a share of that in the densest regular
    arrangement of as many.  clusters: number of clusters [F], 0 for none.  radius: standard deviation of a cluster, in
    the unit of extent [F].
    """
    at = np.stack([uniform(address, axis) for axis in axes], axis=1)
    size = np.bincount(family, minlength=len(extent))
    order = np.argsort(family, kind="stable")
    first = np.cumsum(size) - size
    if np.any(clusters > 0):
        at = _clustered(at, address, family, address[order[np.minimum(first, len(order) - 1)]], axes, extent, clusters,
                        radius)
    if np.any(spacing > 0):
        at = _kept_apart(at, family, extent, spacing, clusters[family] > 0, order, size)
    return np.clip(at, EDGE, 1 - EDGE)


def _clustered(at: Floats, address: Address, family: Ints, origin: Address, axes: Sequence[str], extent: Floats,
               clusters: Ints, radius: Floats) -> Floats:
    """Each node around one of its family's centres, reflected at the edges. origin: address of each family [F]."""
    count = clusters[family]
    number = np.minimum(uniform(address, "cluster") * count, np.maximum(count - 1, 0)).astype(np.uint64)
    centre = fold_in(fold_in(origin[family], name_hash("cluster")), number)
    out = at.copy()
    for d, axis in enumerate(axes):
        away = special.ndtri(at[:, d]) * (radius / extent[:, d])[family]
        inside = 1 - np.abs(1 - (uniform(centre, axis) + away) % 2)
        out[:, d] = np.where(count > 0, inside, at[:, d])
    return out


def _kept_apart(at: Floats, family: Ints, extent: Floats, spacing: Floats, together: NDArray[np.bool_], order: Ints,
                size: Ints) -> Floats:
    """Positions [n, D] moved, pair by pair, until siblings that are too close no longer are.

    Opposite edges count as neighbours (a torus), so that the edges are as likely as the middle. together: nodes of
    clusters [n], which are reflected at the edges, not moved to the opposite one.  order: rows by family [n].  size: of
    each family [F].
    """
    dimensions = at.shape[1]
    length = extent / np.prod(extent, axis=1, keepdims=True) ** (1 / dimensions)  # of a volume of 1
    least = spacing * _regular_distance(size, dimensions)
    before = np.ascontiguousarray((at * length[family]).T)
    moved = before.copy()
    for step in range(STEPS):
        if step % RENEWED == 0:
            one, other = _near_pairs(moved, length, REACH * least, order, size)
            across, wanted = length[family[one]].T, least[family[one]]
        gaps = [_shortest(moved[d][one] - moved[d][other], across[d]) for d in range(dimensions)]
        distance = np.sqrt(sum(gap * gap for gap in gaps))
        push = PUSH * np.maximum(wanted / np.maximum(distance, 1e-12) - 1, 0)
        for d, gap in enumerate(gaps):
            moved[d] += np.bincount(one, push * gap, len(at)) - np.bincount(other, push * gap, len(at))
    shift = ((moved - before) / length[family].T).T
    ends = np.where(together[:, None], 1 - np.abs(1 - (at + shift) % 2), (at + shift) % 1)
    return np.where(shift == 0, at, ends)


def _near_pairs(moved: Floats, length: Floats, reach: Floats, order: Ints, size: Ints) -> tuple[Ints, Ints]:
    """Rows of the siblings that are closer than their family's reach [F], each pair once: [p], [p].

    moved: coordinates [D, n]. All pairs of a block of nodes, whose families are of one size, are measured at once.
    """
    first, found = np.cumsum(size) - size, [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    for count in np.unique(size[(size > 1) & (reach > 0)]).tolist():
        families = np.flatnonzero((size == count) & (reach > 0))
        siblings = order[first[families][:, None] + np.arange(count)]  # [f, K]
        for block in np.split(np.arange(siblings.size), range(step := max(1, BLOCK // count), siblings.size, step)):
            mine, number = np.divmod(block, count)
            rows, theirs = siblings[mine, number], siblings[mine]
            across = length[families[mine]]
            gaps = [_shortest(one[rows, None] - one[theirs], across[:, d, None]) for d, one in enumerate(moved)]
            near = sum(gap * gap for gap in gaps) < reach[families[mine], None] ** 2
            which, column = np.nonzero(near & (np.arange(count) > number[:, None]))
            found.append((rows[which], theirs[which, column]))
    one, other = (np.concatenate(part) for part in zip(*found, strict=True))
    return one, other


def _shortest(gap: Floats, length: Floats) -> Floats:
    """Differences of coordinates on a circle of this length."""
    return gap - length * np.rint(gap / length)


def _regular_distance(count: Ints, dimensions: int) -> Floats:
    """Between neighbours in the densest regular arrangement of so many points in a volume of 1."""
    constant = {1: 1.0, 2: 2 / 3**0.5, 3: 2**0.5}.get(dimensions, 1.0)
    return (constant / np.maximum(count, 1)) ** (1 / dimensions)
