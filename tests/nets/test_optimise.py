"""The loop that trains all networks, against loops written out by hand."""

import pytest
import torch

from scenefit.nets.optimise import minimise, minimise_steps, shuffled_batches


def parameter() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor([3.0, -2.0]))


def losses(value: torch.nn.Parameter, count: int):
    return ((value - torch.tensor([1.0, 1.0])).square().sum() for _ in range(count))


@pytest.mark.parametrize("schedule_steps", [None, 8, 11])
@pytest.mark.parametrize("max_gradient", [None, 0.5])
def test_it_takes_the_optimisers_steps(schedule_steps, max_gradient):
    ours, theirs = parameter(), parameter()
    minimise(losses(ours, 8), torch.optim.Adam([ours], 0.3), schedule_steps, 0.4, max_gradient)
    optimiser = torch.optim.Adam([theirs], 0.3)
    schedule = schedule_steps and torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.3, schedule_steps, pct_start=0.4)
    for loss in losses(theirs, 8):
        optimiser.zero_grad()
        loss.backward()
        if max_gradient:
            torch.nn.utils.clip_grad_norm_([theirs], max_gradient)
        optimiser.step()
        if schedule:
            schedule.step()
    assert torch.equal(ours, theirs) and not torch.equal(ours, parameter())


def test_it_finds_the_minimum():
    value = parameter()
    minimise(losses(value, 200), torch.optim.Adam([value], 0.2), 200)
    torch.testing.assert_close(value.detach(), torch.ones(2), atol=0.02, rtol=0)


def test_each_group_keeps_its_own_rate():
    fast, slow = parameter(), parameter()
    optimiser = torch.optim.SGD([{"params": [fast], "lr": 0.1}, {"params": [slow], "lr": 0.01}])
    minimise(((fast.sum() + slow.sum()) for _ in range(10)), optimiser, 10)
    torch.testing.assert_close(parameter() - fast, 10 * (parameter() - slow))


def test_a_step_is_taken_before_the_next_loss_is_computed():
    value, seen = parameter(), []
    for step in minimise_steps(losses(value, 3), torch.optim.SGD([value], 0.1)):
        seen.append((step, value.detach().clone()))
    assert [step for step, _ in seen] == [1, 2, 3] and not torch.equal(seen[0][1], seen[1][1])
    torch.testing.assert_close(seen[2][1], 1 + (parameter().detach() - 1) * 0.8**3)


def test_every_row_comes_once_an_epoch_in_another_order():
    batches = list(shuffled_batches(10, 4, 2, seed=5))
    assert [len(rows) for rows in batches] == [4, 4, 2, 4, 4, 2]
    first, second = torch.cat(batches[:3]).tolist(), torch.cat(batches[3:]).tolist()
    assert sorted(first) == sorted(second) == list(range(10)) and first != second
    assert torch.cat(list(shuffled_batches(10, 4, 1, seed=5))).tolist() == first
    whole = list(shuffled_batches(10, 4, 2, seed=5, min_size=3))
    assert [rows.tolist() for rows in whole] == [batches[row].tolist() for row in (0, 1, 3, 4)]
