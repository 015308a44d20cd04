"""Conditional offsets: the distribution of a learned attribute given its node's context, as fitted to samples.

A number's value lies at a rank of its marginal distribution, which a table of quantiles holds. The density of the rank
given the context is constant within bins; its logarithm is

    level + basis @ (linear @ x + leave @ tanh(enter @ x + bias))          (up to a constant),

with x the context (`graph_encoding.Contexts`). In ranks, independence is the uniform density: with all weights 0 the
attribute does not depend on its context, whatever its marginal distribution. A Gaussian copula is linear in x, as the
basis holds the normal score and its square (conditional exponential families: Efron and Tibshirani 1996). Choices have
one log-odds for each option in place of bins.

Legend: n nodes; F inputs; B bins or options; J functions of the basis; M ranks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy import special
from torch import Tensor, nn

from scenefit.scenes.attributes import Attribute, NodeGroup, View
from scenefit.scenes.rng import uniform

BINS = 64
HIDDEN = 16
DEGREE = 3  # of the polynomials of the normal score, for numbers
HARMONICS = 2  # of a turn in ranks, for angles
COARSE = 8  # bins between coarse steps
TAIL = special.ndtr([-4.0, -3.5, -3.0])
RANKS = np.concatenate([TAIL, (np.arange(128) + 0.5) / 128, 1 - TAIL[::-1]])  # at which quantiles are held [M]
TINY = 1e-12  # least distance of a rank from 0 and 1


class ConditionalDensity(nn.Module):
    """Of one attribute. All are constants of a fit, without gradient; zeros: independent of the context.

    table [M]: quantiles of a number at RANKS less its quantile offset, relative to the median of its prior, in units of
    the bounds.  level [B], linear [J, F], enter [H, F], bias [H], leave [J, H]: of the log-density.  basis [B, J]; with
    more and more of its functions, these sizes, finer dependence can be told.
    """

    table: Tensor
    level: Tensor
    linear: Tensor
    enter: Tensor
    bias: Tensor
    leave: Tensor
    basis: Tensor
    sizes: tuple[int, ...]

    def __init__(self, form: str, inputs: int, options: int = 0):
        super().__init__()
        basis = torch.from_numpy(_basis(form, options)).float()
        bins, functions = basis.shape
        smooth = functions - (bins - 1)
        self.sizes = (functions,) if form == "choice" else (smooth, smooth + BINS // COARSE - 1, functions)
        sizes = {"level": (bins,), "linear": (functions, inputs), "enter": (HIDDEN, inputs), "bias": (HIDDEN,),
                 "leave": (functions, HIDDEN)}
        for name, size in sizes.items():
            self.register_buffer(name, torch.zeros(size))
        if form != "choice":
            self.register_buffer("table", torch.zeros(len(RANKS)))
        self.register_buffer("basis", basis, persistent=False)

    @property
    def depends(self) -> bool:
        """Whether the attribute depends on its context."""
        return bool(self.linear.any() or self.leave.any())

    def forward(self, x: Tensor) -> Tensor:
        """Log-density [n, B], up to a constant, given contexts x [n, F]; on the CPU wherever the density is."""
        x = x.to(self.level.device)
        hidden = torch.tanh(x @ self.enter.T + self.bias)
        return (self.level + (x @ self.linear.T + hidden @ self.leave.T) @ self.basis.T).cpu()

    def log_odds(self, x: np.ndarray, chunk: np.ndarray) -> np.ndarray:
        """What the context adds to a choice's log-odds [n, B]. x [n, F]; chunk [n]: see `ranks`."""
        if not self.depends:
            return np.zeros((len(x), len(self.level)))
        return by_chunk(lambda part: self(torch.from_numpy(part).float()).double().numpy(), chunk, x)

    def ranks(self, u: np.ndarray, x: np.ndarray, chunk: np.ndarray) -> np.ndarray:
        """Ranks [n] of the marginal distribution, in (0, 1), at ranks u [n] of the conditional one given x [n, F].

        chunk [n]: the chunk of scenes of each node; chunks are computed one by one, so that a scene's numbers do not
        depend on which others are sampled with it.
        """
        if not self.depends:
            return u

        def invert(u: np.ndarray, x: np.ndarray) -> np.ndarray:
            share = torch.softmax(self(torch.from_numpy(x).float()).double(), 1).numpy()
            upper = np.cumsum(share, axis=1)
            at = np.minimum((upper < u[:, None] * upper[:, -1:]).sum(axis=1), share.shape[1] - 1)
            row = np.arange(len(u))
            inside = 1 - (upper[row, at] - u * upper[:, -1]) / np.maximum(share[row, at], TINY)
            return np.clip((at + np.clip(inside, 0, 1)) / share.shape[1], TINY, 1 - TINY)

        return by_chunk(invert, chunk, u, x)

    def quantile(self, rank: np.ndarray) -> np.ndarray:
        """The table at ranks [n], linear between RANKS and constant beyond."""
        return np.interp(rank, RANKS, self.table.double().cpu().numpy())


@dataclass(eq=False)
class GroupEdits:
    """An attribute edited by its conditional density, one group of nodes after the other, as `Grammar.decode` reaches
    them.

    contexts: of(groups, group) -> the density's inputs [n, F].  chunk: number of scenes computed at once.
    sample: (view, group, log-odds [n, B] of a choice or ranks [n] of a number) -> codes or offsets [n] and their
    log-probabilities [n].  offsets, codes, log_probs: of each group so far.
    """

    attribute: Attribute
    density: ConditionalDensity
    contexts: Any
    chunk: int
    sample: Callable[[View, NodeGroup, np.ndarray], tuple[Any, Tensor]]
    offsets: list[Tensor] = field(default_factory=list)
    codes: list[np.ndarray] = field(default_factory=list)
    log_probs: list[Tensor] = field(default_factory=list)

    def __call__(self, groups: Mapping[tuple[str, int], NodeGroup], group: NodeGroup) -> np.ndarray:
        """Offsets or codes [n] of a group among all groups."""
        x = self.contexts.of(groups, group) if self.density.depends else np.zeros((len(group), 0))
        chunk, choice = group.scene // self.chunk, self.attribute.form == "choice"
        u = uniform(group.address, self.attribute.name)
        given = self.density.log_odds(x, chunk) if choice else self.density.ranks(u, x, chunk)
        values, log_probs = self.sample(View(self.contexts.grammar.kinds, groups, group), group, given)
        self.log_probs.append(log_probs)
        if choice:
            self.codes.append(values)
            return values
        self.offsets.append(values)
        return values.detach().numpy()


def by_chunk(function: Callable[..., np.ndarray], chunk: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
    """function(*arrays), each [n, ...], computed for the rows of one chunk [n] at a time."""
    order = np.argsort(chunk, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(chunk[order])) + 1)
    found = np.concatenate([function(*(array[rows] for array in arrays)) for rows in parts])
    out = np.empty_like(found)
    out[order] = found
    return out


def _basis(form: str, options: int) -> np.ndarray:
    """Functions of the bins [B, J], of mean 0: smooth ones; then steps, for sharp edges between modes, coarse ones
    first; of a choice: one for each option."""
    if form == "choice":
        return np.eye(options)
    rank = (np.arange(BINS) + 0.5) / BINS
    edge = np.concatenate([np.arange(COARSE, BINS, COARSE), np.flatnonzero(np.arange(BINS) % COARSE)])
    steps = (np.arange(BINS)[:, None] >= edge) - (1 - edge / BINS)
    if form == "angle":
        turn = 2 * np.pi * rank[:, None] * np.arange(1, HARMONICS + 1)
        return np.concatenate([np.sqrt(2) * np.cos(turn), np.sqrt(2) * np.sin(turn), steps], axis=1)
    powers = np.vander(special.ndtri(rank), DEGREE + 1, increasing=True)
    orthogonal, upper = np.linalg.qr(powers)
    smooth = (orthogonal * np.sign(np.diag(upper)) * np.sqrt(BINS))[:, 1:]
    return np.concatenate([smooth, steps], axis=1)
