"""Attributes of nodes: what their priors may see of the graph, and how values are sampled and offset.

Legend: n nodes of a group (all nodes of one kind and depth); u in (0, 1).
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
WHOLE_COUNT = "the count of a repeat must be whole numbers >= 0, such as 3, or Integer(1, 3) for a random one"
BIN_MARGIN = 1e-9  # least distance of an integer from the edges of its bin, so that rounding cannot move it to the next


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
    """A learned attribute relative to its bounds: attribute = low + reflect(value + offset) * (high - low). All [n].

    log: true (one for all, or [n]) where the scale is logarithmic: low * (high / low) ** reflect(value + offset).
    value: 0..1 within the bounds, at offset 0. Angles wrap instead: low + ((value + offset) % 1) * (high - low). An
    integer is a bin of the unit interval: low + floor(reflect(value + offset) * (high - low + 1)).
    """

    value: Array
    low: Array
    high: Array
    log: Any = False

    def take(self, rows: Ints) -> "NormalisedValues":
        """Those of some of the nodes."""
        return NormalisedValues(self.value[rows], self.low[rows], self.high[rows], self.log_scaled[rows])

    @property
    def log_scaled(self) -> Array:
        """Whether each node's scale is logarithmic [n]."""
        return np.broadcast_to(np.asarray(self.log, bool), np.shape(self.value))


@dataclass(eq=False)
class NodeGroup:
    """All nodes of one kind and depth, which are sampled together. start: row of the first in its kind's table."""

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
    """The input of a conditional prior: the columns of some nodes, and of their parents. node["x"] is [n].

    above: kind, depth -> group.  rows: which nodes of the group; None is all.  up: how many levels above the node whose
    prior is evaluated.  accessed: a set to which the key of each column that is read is added.
    """

    def __init__(self, kinds: Sequence[str], above: Mapping[tuple[str, int], NodeGroup], group: NodeGroup,
                 rows: Ints | None = None, up: int = 0, accessed: set[Key] | None = None):
        self._kinds, self._above, self._group = kinds, above, group
        self._rows, self._up, self._accessed = rows, up, accessed

    def __getitem__(self, name: str) -> Array:
        if self._accessed is not None:
            self._accessed.add((self._group.kind, name))
        try:
            return self._here(self._group.columns[name])
        except KeyError:
            raise KeyError(self._lack(name)) from None

    def __contains__(self, name: object) -> bool:  # the mixin's would word the error of a missing name each time
        if self._accessed is not None:
            self._accessed.add((self._group.kind, str(name)))
        return name in self._group.columns

    def _lack(self, name: str) -> str:
        kind, known = self._group.kind, sorted(self._group.columns)
        if self._up == 0:
            return (f"{kind} has no attribute {name!r} (yet): a prior may use earlier attributes of its node, {known}, "
                    f"and all of node.parent{did_you_mean(name, known)}")
        who = "the parent" + " of the parent" * (self._up - 1)
        return f"{kind}, {who}, has no attribute {name!r}: it has {known}{did_you_mean(name, known)}"

    def __iter__(self) -> Iterator[str]:
        return iter(self._group.columns)

    def __len__(self) -> int:
        return len(self._group.columns)

    def _here(self, column: Array) -> Array:
        return column if self._rows is None else column[self._rows]

    @cached_property
    def number(self) -> Ints:
        """Which of its parent's children of its kind each node is, from 0: [n]."""
        return self._here(_siblings(self._group)[0])

    @cached_property
    def family(self) -> Ints:
        """Which of the groups of siblings, one parent's children of one kind, each node is of, from 0: [n]."""
        return self._here(_siblings(self._group)[1])

    @property
    def address(self) -> Address:
        """Of each node, to derive random numbers from [n]."""
        return self._here(self._group.address)

    @property
    def root(self) -> "View":
        """The root of each node's scene."""
        group = next(group for (_, depth), group in self._above.items() if depth == 0)
        rows = self._here(self._group.scene)  # a root's row is its scene
        return View(self._kinds, self._above, group, rows, self._up + self._group.depth, self._accessed)

    @cached_property
    def parent(self) -> "View | MixedParents":
        if self._group.depth == 0:
            raise KeyError(f"{self._group.kind} is the root: it has no parent")
        kinds, rows = self._here(self._group.parent_kind), self._here(self._group.parent_row)
        views = []
        for code in np.unique(kinds):
            group = self._above[self._kinds[code], self._group.depth - 1]
            mask = kinds == code
            views.append((mask, View(self._kinds, self._above, group, rows[mask] - group.start, self._up + 1,
                                     self._accessed)))
        return views[0][1] if len(views) == 1 else MixedParents(views)


class MixedParents:
    """Parents of several kinds: columns are gathered from each."""

    def __init__(self, views: Sequence[tuple[Array, "View | MixedParents"]]):
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
    def parent(self) -> "MixedParents":
        return MixedParents([(mask, view.parent) for mask, view in self._views])


def _siblings(group: NodeGroup) -> tuple[Ints, Ints]:
    """Each node's number among its parent's children of its kind, in the order of sampling, and which those are."""
    order = np.lexsort((group.parent_row, group.parent_kind, group.scene))
    parent = np.stack([group.scene, group.parent_kind, group.parent_row])[:, order]
    first = np.flatnonzero(np.append(True, (np.diff(parent) != 0).any(axis=0))[:len(order)])
    family = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(order))))
    back = np.argsort(order)
    return (np.arange(len(order)) - first[family])[back], family[back]


def reflect(x: Any) -> Any:
    """Any number brought into 0..1 by reflection at both ends; the identity inside. numpy or torch."""
    return 1 - abs(1 - x % 2)


def draw(attribute: Attribute, view: View, u: Array, offset: Any = None) -> tuple[Array, NormalisedValues | None]:
    """Values of one attribute [n] and, where it is a learned number, its `NormalisedValues`.

    offset [n]: None gives the prior's values exactly; for a learned choice, the chosen codes.
    """
    prior = resolve(attribute, view)
    values = _checked(attribute, prior, _quantile(attribute, prior, u))
    if not attribute.learned:
        return values, None
    if isinstance(prior, Choice):
        return (values if offset is None else np.asarray(prior.options)[np.asarray(offset)]), None
    if prior.circular:
        at = NormalisedValues(values / TURN + 0.5, np.full(len(u), -TURN / 2), np.full(len(u), TURN / 2))
        return (values if offset is None else moved("angle", at, offset)), at
    low, high = _bounds(attribute, prior, len(u))
    values = np.clip(values, low, high)
    if prior.discrete:
        span = high - low + 1
        # The position of u in its bin keeps the map from u smooth.
        value = (values - low + np.clip(u * span % 1.0, BIN_MARGIN, 1 - BIN_MARGIN)) / span
        at = NormalisedValues(value, low, high)
        return (values.astype(np.int64) if offset is None else moved("integer", at, offset)), at
    at = NormalisedValues(_unit(prior, values, low, high), low, high, prior.logarithmic)
    return (values if offset is None else moved("number", at, offset)), at


def moved(form: Form, at: NormalisedValues, offset: Any) -> Array:
    """Values [n] of a learned number, integer or angle with an offset, see `NormalisedValues`."""
    if form == "angle":
        return wrap(at.low + (at.value + offset) % 1.0 * TURN)
    if form == "integer":
        span = at.high - at.low + 1
        return (at.low + np.minimum(np.floor(reflect(at.value + offset) * span), span - 1)).astype(np.int64)
    unit = reflect(at.value + offset)
    value = at.low + unit * (at.high - at.low)
    if np.any(at.log):
        low, high = (np.log(np.where(at.log, end, 1.0)) for end in (at.low, at.high))
        value = np.where(at.log, np.exp(low + unit * (high - low)), value)
    return np.clip(value, at.low, at.high)


def _unit(prior: Prior, values: Array, low: Array, high: Array) -> Array:
    """Values [n] of a number within its bounds as 0..1."""
    if prior.logarithmic:
        return np.clip(np.log(values / low) / np.log(high / low), 0, 1)
    return (values - low) / (high - low)


def _quantile(attribute: Attribute, prior: Prior, u: Array) -> Array:
    """Values [n]. ValueError, naming the attribute, where the prior has another number of nodes."""
    try:
        values = np.asarray(prior.quantile(u))
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


def _checked(attribute: Attribute, prior: Prior, values: Array) -> Array:
    """values, of a type that a column can hold; finite where they are learned."""
    if values.dtype.kind not in "iufbUS" or (attribute.learned and values.dtype.kind == "f"
                                             and not np.isfinite(values).all()):
        with np.printoptions(threshold=4, edgeitems=1):
            raise ValueError(f"the prior of {attribute.kind}.{attribute.name}, {prior!r}, gives {values} of type "
                             f"{values.dtype}; it has to give texts or numbers, and finite numbers if it is learned")
    return values


def normalise(attribute: Attribute, view: View, values: Array) -> Array:
    """Values [n] of a learned number relative to its bounds, 0..1 [n]; integers at the middle of their bins."""
    prior = resolve(attribute, view)
    if prior.circular:
        return values / TURN + 0.5
    low, high = _bounds(attribute, prior, len(values))
    values = np.clip(values, low, high)
    return (values - low + 0.5) / (high - low + 1) if prior.discrete else _unit(prior, values, low, high)


def _bounds(attribute: Attribute, prior: Prior, n: int) -> tuple[Array, Array]:
    """Lowest and highest value, each [n]."""
    low, high = attribute.bounds or prior.bounds
    return np.broadcast_to(np.asarray(low, float), n), np.broadcast_to(np.asarray(high, float), n)


def resolve(attribute: Attribute, view: View) -> Prior:
    """The prior of an attribute; a conditional one is evaluated. ValueError, naming the attribute, where that fails."""
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
    except Exception as error:  # the user's function may raise anything; the error names the attribute
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise ValueError(f"the conditional prior of {where} failed: {type(error).__name__}: {text}"
                         f"{_hint(str(text))}") from error
    return prior


def _hint(text: str) -> str:
    """A fix for errors of numpy or Python that come from treating a column as one number."""
    if "truth value of an array" in text:
        return "; the function sees whole columns: use np.where, not if, and np.minimum, not min"
    if "can be converted to Python scalars" in text:
        return "; the function sees whole columns: use np.sin and the like, not math.sin or float"
    return ""


def parse(kind: str, name: str, value: Any) -> Attribute:
    """An attribute from a prior or learned(prior) in a grammar. ValueError or TypeError, naming it."""
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
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def parse_count(kind: str, name: str, value: Any) -> Attribute:
    """The count of a repeat. ValueError unless it can only be whole numbers >= 0."""
    if isinstance(value, bool | str):
        raise ValueError(f"{WHOLE_COUNT}, got {value!r}")
    attribute = parse(kind, name, value)
    prior = attribute.prior
    if not isinstance(prior, Prior):
        raise ValueError("the count of a repeat must be a prior of its own, not a function of the node")
    if isinstance(prior, Constant) and not isinstance(prior.value, str) and float(prior.value).is_integer():
        prior = Integer(int(prior.value), int(prior.value))
    low, high = attribute.bounds or prior.bounds
    if not prior.discrete or attribute.form == "choice" or low < 0 or (attribute.bounds and (low % 1 or high % 1)):
        raise ValueError(f"{WHOLE_COUNT}, got {value}")
    return replace(attribute, prior=prior, count=True, form="integer")
