"""Gradient descent on a loss, as all networks of this package are trained.

Legend: B rows of a batch.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from scenefit.metrics.device import reproducible


def minimise(losses: Iterable[Tensor], optimiser: Optimizer, schedule_steps: int | None = None,
             warm_up: float = 0.3, max_gradient: float | None = None) -> None:
    """All steps of `minimise_steps`."""
    for _ in minimise_steps(losses, optimiser, schedule_steps, warm_up, max_gradient):
        pass


def minimise_steps(losses: Iterable[Tensor], optimiser: Optimizer, schedule_steps: int | None = None,
                   warm_up: float = 0.3, max_gradient: float | None = None) -> Iterator[int]:
    """Take one step down each loss, yielding how many steps were taken after each.

    losses: a generator, so that each loss is computed after the step before it.
    schedule_steps: length of a one-cycle schedule (Smith and Topin 2019), at least as many steps as there are losses.
    The learning rate of each parameter group rises to its own in a share warm_up of them, then falls to nearly nothing.
    None keeps the learning rate.
    max_gradient: gradients whose norm over all parameters is greater are scaled down to it.
    """
    schedule = None if schedule_steps is None else OneCycleLR(
        optimiser, [group["lr"] for group in optimiser.param_groups], total_steps=schedule_steps, pct_start=warm_up)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    following, number = iter(losses), 0
    while True:
        with reproducible(parameters[0].device):  # not across a yield, as PyTorch's state belongs to the process
            loss = next(following, None)
            if loss is None:
                return
            optimiser.zero_grad()
            loss.backward()
            if max_gradient is not None:
                torch.nn.utils.clip_grad_norm_(parameters, max_gradient)
            optimiser.step()
            if schedule is not None:
                schedule.step()
        number += 1
        yield number


def shuffled_batches(count: int, size: int, epochs: int, seed: int, min_size: int = 1) -> Iterator[Tensor]:
    """Rows [B] of 0..count - 1 in batches of size, in a new order each epoch; the last of an epoch may be smaller, and
    is left out where it has fewer than min_size."""
    random = np.random.default_rng(seed)
    for _ in range(epochs):
        for rows in torch.from_numpy(random.permutation(count)).split(size):
            if len(rows) >= min_size:
                yield rows


def endless_batches(count: int, size: int, seed: int) -> Iterator[Tensor]:
    """Rows [size] of 0..count - 1 in batches without end, in a new order each epoch; a batch may span two epochs."""
    random = np.random.default_rng(seed)
    left = np.zeros(0, np.int64)
    while True:
        while len(left) < size:
            left = np.concatenate([left, random.permutation(count)])
        yield torch.from_numpy(left[:size])
        left = left[size:]
