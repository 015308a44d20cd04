"""Worker processes, with tasks that are plain functions to call: no scene is needed."""

import math
import os
import time
from functools import partial

import pytest

from scenefit.executors.processes import Processes, WorkerLost


def calling():
    return call


def call(task):
    function, argument = task
    return function(argument)


def broken():
    raise LookupError("nothing to load")


@pytest.fixture(scope="module")
def two():
    processes = Processes(calling, 2)
    yield processes
    processes.close()


def test_answers_come_in_the_order_of_their_tasks(two):
    assert two.run([(math.sqrt, n) for n in range(20)], 30) == [math.sqrt(n) for n in range(20)]
    assert len(two.alive) == 2
    before = [worker.process.pid for worker in two.alive]
    assert two.run([], 30) == [] and two.run([(abs, -3)], 30) == [3]
    assert [worker.process.pid for worker in two.alive] == before


def test_no_more_processes_than_tasks():
    one = Processes(calling, 8)
    assert one.run([(abs, -1)], 30) == [1] and len(one.alive) == 1
    one.close()
    assert one.alive == []


@pytest.mark.parametrize(("task", "timeout", "reason"), [((os._exit, 7), 30, r"died \(exit code 7\)"),
                                                         ((time.sleep, 60), 0.5, "took more than 0.5 s")])
def test_a_lost_worker_is_reported_with_its_task(two, task, timeout, reason):
    two.run([(abs, 1), (abs, 2)], 30)
    processes = [worker.process for worker in two.alive]
    with pytest.raises(WorkerLost, match=f"a worker process {reason}") as lost:
        two.run([(abs, 1), (abs, 2), task, (abs, 3)], timeout)
    assert lost.value.task == 2 and two.alive == [] and not any(process.is_alive() for process in processes)
    assert two.run([(abs, -1)], 30) == [1]


def test_errors_are_raised_as_they_are(two):
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        two.run([(math.sqrt, 4.0), (math.sqrt, -1.0)], 30)
    with pytest.raises(LookupError, match="nothing to load"):
        Processes(broken, 1).run([(abs, 1)], 30)


def test_a_worker_that_ends_while_it_loads_has_no_task():
    with pytest.raises(WorkerLost, match=r"died \(exit code 3\)") as lost:
        Processes(partial(os._exit, 3), 1).run([(abs, 1)], 30)
    assert lost.value.task is None
