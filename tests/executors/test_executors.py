"""Worker processes, with tasks that are plain functions to call: no scene is needed."""

import math
import os
import signal
import time
from functools import partial

import pytest

from scenefit.executors.processes import Processes, WorkerLost, grows


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
                                                         ((signal.raise_signal, 9), 30, "was ended by SIGKILL, which "
                                                          "the operating system sends when memory runs out"),
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


class Odd(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


def raises_odd(_):
    raise Odd("zq7", 3)


def test_tasks_are_taken_as_answers_are_wanted(two):
    taken = []

    def tasks():
        for n in range(12):
            taken.append(n)
            yield abs, -n

    for n, answer in enumerate(two.stream(tasks(), 30, 4)):
        assert answer == n and len(taken) <= n + 1 + 4
    assert len(taken) == 12 and len(two.alive) == 2
    for _ in two.stream(((abs, n) for n in range(4)), 30, 1):
        break
    assert two.run([(abs, -1)], 30) == [1], "answers that nobody wanted are not those of others"


def test_the_first_task_that_fails_is_named_and_those_before_it_are_answered(two):
    answers = two.stream([(math.sqrt, 4.0), (time.sleep, 0.3), (int, "zq7"), (int, "later")], 30, 4)
    assert next(answers) == 2.0 and next(answers) is None
    with pytest.raises(ValueError, match="zq7"):
        next(answers)
    with pytest.raises(RuntimeError, match="Odd: zq7 3"):  # an error that cannot be sent as it is
        two.run([(raises_odd, 0)], 30)


SHADOWS = ("enum", "json", "random", "types", "numpy", "queue", "pickle", "socket", "string")


def test_modules_of_the_user_do_not_take_the_place_of_the_standard_library(tmp_path, monkeypatch):
    """They lie in the current folder, which a new Python searches first."""
    monkeypatch.chdir(tmp_path)
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the module of the user')")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    one = Processes(calling, 1, recycle=2)
    asked = [(os.getenv, "PYTHONSAFEPATH"), (os.path.abspath, "."), (os.getenv, "PYTHONSAFEPATH")]
    assert one.run(asked, 30) == [None, str(tmp_path), None] and "PYTHONSAFEPATH" not in os.environ
    assert len(one.retired) == 1 and len(one.alive) == 1, "replaced after two tasks"
    one.close()


def test_memory_that_grows_steadily():
    mb = 2**20
    assert grows([100 * mb + n * 100 * mb for n in range(4)]) and grows([n * 10 * mb for n in range(40)])
    assert not grows([]) and not grows([0, 10**10, 2 * 10**10]), "too few tasks"
    assert not grows([n * mb for n in range(40)]), "too little"
    assert not grows([0, *[500 * mb] * 30]) and not grows([*[0] * 30, 500 * mb]), "a cache that is filled once"
    assert not grows([min(n, 10) * 100 * mb for n in range(40)]), "a cache that is full after a quarter"
