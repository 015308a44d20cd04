"""Attributes of nodes: what their priors may see of the graph, and how a value is drawn and moved.

Legend: n nodes of a slab (all nodes of one kind and depth); u in (0, 1).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scenefit.scenes.priors import (
    TURN,
    Choice,
    Conditional,
    Constant,
    Integer,
    Learned,
    Prior,
    as_prior,
    check_learnable,
    wrap,
)
from scenefit.scenes.rng import Address
from scenefit.scenes.scene import Ints
from scenefit.scenes.suggestions import did_you_mean

Array = NDArray[Any]
Key = tuple[str, str]  # kind, attribute
Form = Literal["number", "integer", "angle", "choice", "text"]
RESERVED = frozenset({"id", "kind", "parent", "values", "rng", "batch", "row", "rule", "scene", "node"})
EDGE = 1e-9  # a whole number stands at least this far inside its bin, so that rounding cannot move it to the next


@dataclass(frozen=True)
class Attribute:
    """One attribute of one kind, as the grammar understands it.

    count: it holds the drawn count of a repeat.  form: "choice" is one of fixed options, numbers or text; "text" is a
    constant text, or one that depends on other attributes; "angle" is in degrees. A conditional prior has the form of
    the priors that it returned for the scenes that the grammar tried when it was made.
    """

    kind: str
    name: str
    prior: Prior | Conditional
    learned: bool
    bounds: tuple[float, float] | None
    count: bool = False
    form: Form = "number"

    @property
    def circular(self) -> bool:
        return self.form == "angle"

    @property
    def choice(self) -> Choice:
        """The prior of an attribute whose form is "choice". TypeError of any other."""
        if not isinstance(self.prior, Choice):
            raise TypeError(f"{self.kind}.{self.name} is not a choice but of the form {self.form!r}")
        return self.prior

    @property
    def key(self) -> Key:
        return self.kind, self.name

    @property
    def conditional(self) -> bool:
        return not isinstance(self.prior, Prior)

    def with_form_of(self, prior: Prior) -> "Attribute":
        """The same attribute with the form of a prior: its own, or one that its conditional prior returned."""
        return replace(self, form=_form(self, prior))


def _form(attribute: Attribute, prior: Prior) -> Form:
    if isinstance(prior, Choice) and not attribute.conditional:
        return "choice"
    if isinstance(prior, Choice | Constant):  # of a conditional prior, options may differ from node to node
        kind = np.asarray(prior.options if isinstance(prior, Choice) else prior.value).dtype.kind
        if kind in "US":
            return "text"
        return "integer" if kind in "iub" and not attribute.learned else "number"  # a learned constant is moved freely
    return "angle" if prior.circular else "integer" if prior.discrete else "number"


@dataclass(frozen=True, eq=False)
class NormalisedValues:
    """What it takes to move a learned attribute: value = low + fold(unit + move) * (high - low). All [n].

    An angle goes round instead: value = low + ((unit + move) % 1) * (high - low). A whole number is a bin of the unit
    interval: value = low + floor(fold(unit + move) * (high - low + 1)).
    """

    unit: Array
    low: Array
    high: Array


@dataclass(eq=False)
class NodeGroup:
    """All nodes of one kind and depth, while they are drawn. start: row of the first in its kind's table."""

    kind: str
    depth: int
    start: int
    scene: Ints
    parent_kind: Ints
    parent_row: Ints
    address: Address
    rule: Ints
    columns: dict[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.scene)


class View(Mapping[str, Array]):
    """What a conditional prior sees: the columns of some nodes, and of their parents. node["x"] is [n].

    above: kind, depth -> slab.  rows: which nodes of the slab; None is all.  up: how many steps above the node whose
    prior asks.  read: takes the keys of what is asked for, where it is given.
    """

    def __init__(self, kinds: Sequence[str], above: Mapping[tuple[str, int], NodeGroup], slab: NodeGroup,
                 rows: Ints | None = None, up: int = 0, read: set[Key] | None = None):
        self._kinds, self._above, self._slab, self._rows, self._up, self._read = kinds, above, slab, rows, up, read

    def __getitem__(self, name: str) -> Array:
        if self._read is not None:
            self._read.add((self._slab.kind, name))
        try:
            return self._here(self._slab.columns[name])
        except KeyError:
            raise KeyError(self._lack(name)) from None

    def _lack(self, name: str) -> str:
        kind, known = self._slab.kind, sorted(self._slab.columns)
        if self._up == 0:
            return (f"{kind} has no attribute {name!r} (yet): a prior may use earlier attributes of its node, {known}, "
                    f"and all of node.parent{did_you_mean(name, known)}")
        who = "the parent" + " of the parent" * (self._up - 1)
        return f"{kind}, {who}, has no attribute {name!r}: it has {known}{did_you_mean(name, known)}"

    def __iter__(self) -> Iterator[str]:
        return iter(self._slab.columns)

    def __len__(self) -> int:
        return len(self._slab.columns)

    def _here(self, column: Array) -> Array:
        return column if self._rows is None else column[self._rows]

    @cached_property
    def number(self) -> Ints:
        """Which of its parent's children of its kind each node is, from 0: [n]."""
        return self._here(_numbers(self._slab))

    @cached_property
    def parent(self) -> "View | Mixed":
        if self._slab.depth == 0:
            raise KeyError(f"{self._slab.kind} is the root: it has no parent")
        kinds, rows = self._here(self._slab.parent_kind), self._here(self._slab.parent_row)
        views = []
        for code in np.unique(kinds):
            slab = self._above[self._kinds[code], self._slab.depth - 1]
            mask = kinds == code
            views.append((mask, View(self._kinds, self._above, slab, rows[mask] - slab.start, self._up + 1,
                                     self._read)))
        return views[0][1] if len(views) == 1 else Mixed(views)


class Mixed:
    """Parents of several kinds: a column is gathered from each."""

    def __init__(self, views: Sequence[tuple[Array, "View | Mixed"]]):
        self._views = views

    def __getitem__(self, name: str) -> Array:
        parts = [(mask, view[name]) for mask, view in self._views]
        out = np.empty(len(parts[0][0]), np.result_type(*(part for _, part in parts)))
        for mask, part in parts:
            out[mask] = part
        return out

    @property
    def number(self) -> Ints:
        out = np.empty(len(self._views[0][0]), np.int64)
        for mask, view in self._views:
            out[mask] = view.number
        return out

    @property
    def parent(self) -> "Mixed":
        return Mixed([(mask, view.parent) for mask, view in self._views])


def _numbers(slab: NodeGroup) -> Ints:
    """Each node's place among those of its parent, in the order in which they are drawn."""
    order = np.lexsort((slab.parent_row, slab.parent_kind, slab.scene))
    parent = np.stack([slab.scene, slab.parent_kind, slab.parent_row])[:, order]
    first = np.flatnonzero(np.append(True, (np.diff(parent) != 0).any(axis=0))[:len(order)])
    found = np.empty(len(order), np.int64)
    found[order] = np.arange(len(order)) - np.repeat(first, np.diff(np.append(first, len(order))))
    return found


def reflect(x: Any) -> Any:
    """Brings any number into 0..1 by reflection at both ends; the identity inside. numpy or torch."""
    return 1 - abs(1 - x % 2)


def draw(attribute: Attribute, view: View, u: Array, move: Any = None) -> tuple[Array, NormalisedValues | None]:
    """Values of one attribute [n] and, where it is a learned number, its Unit.

    move [n]: None leaves the prior's values exactly; for a learned choice, the chosen codes.
    """
    prior = resolve(attribute, view)
    values = _quantile(attribute, prior, u)
    if not attribute.learned:
        return values, None
    if isinstance(prior, Choice):
        return (values if move is None else np.asarray(prior.options)[np.asarray(move)]), None
    if prior.circular:
        unit, low, high = values / TURN + 0.5, np.full(len(u), -TURN / 2), np.full(len(u), TURN / 2)
        return (values if move is None else wrap(low + (unit + move) % 1.0 * TURN)), NormalisedValues(unit, low, high)
    low, high = _ends(attribute, prior, len(u))
    values = np.clip(values, low, high)
    if prior.discrete:
        span = high - low + 1
        # The draw's own place in its bin keeps the map smooth.
        unit = (values - low + np.clip(u * span % 1.0, EDGE, 1 - EDGE)) / span
        if move is not None:
            values = low + np.minimum(np.floor(reflect(unit + move) * span), span - 1)
        return values.astype(np.int64), NormalisedValues(unit, low, high)
    unit = (values - low) / (high - low)
    if move is not None:
        values = np.clip(low + reflect(unit + move) * (high - low), low, high)
    return values, NormalisedValues(unit, low, high)


def _quantile(attribute: Attribute, prior: Prior, u: Array) -> Array:
    """Values [n]. ValueError, naming the attribute, where the prior is of other nodes than these."""
    try:
        values = prior.quantile(u)
        if np.shape(values) == np.shape(u):
            return values
        reason = f"it gives values {list(np.shape(values))}"
    except (ValueError, IndexError) as error:
        reason = str(error)
    with np.printoptions(threshold=4, edgeitems=1):
        text = repr(prior)
    raise ValueError(f"the prior of {attribute.kind}.{attribute.name} is not of these {len(u)} nodes: {text} "
                     f"({reason}); a conditional prior's numbers are single ones, or one a node, such as "
                     "node.parent[...]")


def place_in_bounds(attribute: Attribute, view: View, values: Array) -> Array:
    """Where values [n] of a learned number stand in its bounds, 0..1 [n]; whole numbers in the middle of their bins."""
    prior = resolve(attribute, view)
    if prior.circular:
        return values / TURN + 0.5
    low, high = _ends(attribute, prior, len(values))
    values = np.clip(values, low, high)
    return (values - low + 0.5) / (high - low + 1) if prior.discrete else (values - low) / (high - low)


def _ends(attribute: Attribute, prior: Prior, n: int) -> tuple[Array, Array]:
    """Lowest and highest value, each [n]."""
    low, high = attribute.bounds or prior.bounds
    return np.broadcast_to(np.asarray(low, float), n), np.broadcast_to(np.asarray(high, float), n)


def resolve(attribute: Attribute, view: View) -> Prior:
    """The prior of an attribute; a conditional one is asked. ValueError, naming the attribute, where that fails."""
    if isinstance(attribute.prior, Prior):
        return attribute.prior
    where = f"{attribute.kind}.{attribute.name}"
    try:
        prior = as_prior(attribute.prior(view))
        if not isinstance(prior, Prior):
            raise TypeError(f"it must return a prior, got the function {prior!r}")
        if attribute.learned and isinstance(prior, Choice):
            raise TypeError("a learned choice needs the same options for every node; make it a plain Choice")
        if attribute.learned:
            with np.printoptions(threshold=4, edgeitems=1):
                check_learnable(prior, attribute.bounds)
    except Exception as error:  # whatever the user's function raises, the attribute has to be named
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise ValueError(f"the conditional prior of {where} failed: {type(error).__name__}: {text}"
                         f"{_hint(str(text))}") from error
    return prior


def _hint(text: str) -> str:
    """What to do about an error of numpy or Python that comes of treating a column as one number."""
    if "truth value of an array" in text:
        return "; the function sees whole columns: use np.where, not if, and np.minimum, not min"
    if "can be converted to Python scalars" in text:
        return "; the function sees whole columns: use np.sin and the like, not math.sin or float"
    return ""


def parse(kind: str, name: str, value: Any) -> Attribute:
    """An attribute from what the user wrote: a prior, or learned(prior). ValueError or TypeError, naming it."""
    where = f"{kind}.{name}"
    if not str(name).isidentifier() or name.startswith("_") or name in RESERVED:
        raise ValueError(f"{where}: an attribute's name must be a Python name without leading underscore, and none of "
                         f"{sorted(RESERVED)}")
    try:
        given = value if isinstance(value, Learned) else Learned(as_prior(value))
        attribute = Attribute(kind, name, given.prior, given is value, given.bounds)
        return attribute.with_form_of(given.prior) if isinstance(given.prior, Prior) else attribute
    except TypeError as error:
        raise TypeError(f"{where}: {error}") from None


def parse_count(kind: str, name: str, value: Any) -> Attribute:
    """The count of a repeat. ValueError unless it can only be whole numbers >= 0."""
    attribute = parse(kind, name, value)
    prior = attribute.prior
    if not isinstance(prior, Prior):
        raise ValueError("the count of a repeat must be a prior of its own, not a function of the node")
    if isinstance(prior, Constant) and not isinstance(prior.value, str) and float(prior.value).is_integer():
        prior = Integer(int(prior.value), int(prior.value))
    low, high = attribute.bounds or prior.bounds
    if not prior.discrete or attribute.form == "choice" or low < 0 or (attribute.bounds and (low % 1 or high % 1)):
        raise ValueError(f"the count of a repeat must be whole numbers >= 0, got {value}")
    return replace(attribute, prior=prior, count=True, form="integer")
