"""The bar of `scenefit.fit`: in a terminal and in a notebook, and nowhere else."""

import builtins
import io
import sys
import types
from typing import Any

import pytest
from quick import quick
from rich.console import Console
from toys import dot, dots, photos

import scenefit as sf
from scenefit.evaluation.evaluate import Progress as Step
from scenefit.inference.fit import fit, fit_steps
from scenefit.report import progress
from scenefit.scenes.priors import Uniform, learned
from scenefit.tasks.training_stages import TrainingProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Handle:
    """As `IPython.display.display(..., display_id=True)` returns it: keeps what is shown."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []

    def update(self, value: Any) -> None:
        self.shown.append(value._repr_mimebundle_([], []))


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard error as a terminal. No fixture: pytest replaces the stream between a fixture and its test."""
    for name in ("TTY_COMPATIBLE", "TTY_INTERACTIVE", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


@pytest.fixture
def notebook(monkeypatch):
    """The part of IPython that a notebook's kernel has, without ipywidgets."""
    handle = Handle()

    def display(value: Any, display_id: bool) -> Handle:
        assert display_id
        handle.update(value)
        return handle

    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setattr(builtins, "get_ipython", lambda: shell, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.setattr(progress, "REDRAWN", 0.0)
    return handle


def problem(count: int = 60) -> tuple[Any, ...]:
    return dot(learned(Uniform(2, 14))), dots(), photos(dot(Uniform(2, 14)), dots(), count)


def settings() -> Any:
    return quick("none", descent__steps=0, validation_renders=16, regressor__renders=16)


def test_a_terminal_shows_stage_renders_and_distance(monkeypatch, capsys):
    stream = terminal(monkeypatch)
    fit(*problem(), settings=settings())
    said = stream.getvalue()
    assert "validate 1/1" in said and "100%" in said and "renders" in said and "distance" in said
    assert capsys.readouterr() == ("", "")


def test_a_notebook_shows_a_bar_that_is_drawn_anew_and_needs_no_widgets(notebook, capsys, recwarn):
    fit(*problem(), settings=settings())
    texts = [shown["text/plain"] for shown in notebook.shown]
    assert "100%" in texts[-1] and "validate 1/1" in texts[-1] and "distance" in texts[-1]
    assert len(texts) > 3 and "100%" not in texts[0] and all("<pre" in shown["text/html"] for shown in notebook.shown)
    assert capsys.readouterr() == ("", "") and not recwarn.list


def test_generate_shows_how_many_images_are_written(notebook, tmp_path, capsys):
    grammar, renderer, _ = problem(1)
    sf.generate(grammar, renderer, 80, tmp_path / "a")
    texts = [shown["text/plain"] for shown in notebook.shown]
    assert any("80%" in text for text in texts) and texts[-1].startswith("images") and "100%" in texts[-1]
    notebook.shown.clear()
    sf.generate(grammar, renderer, 4, tmp_path / "b", progress=False)
    assert not notebook.shown and capsys.readouterr() == ("", "")


def test_an_error_ends_the_bar_in_a_notebook(notebook):
    def steps():
        yield types.SimpleNamespace(stage="zq7", done=1, of=4, renders=9, distance=float("nan"), progress=0.25)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(progress.fit_shown(steps()))
    assert "zq7 1/4" in notebook.shown[-1]["text/plain"] and "25%" in notebook.shown[-1]["text/plain"]


def test_nothing_is_shown_where_it_is_switched_off_or_step_by_step(monkeypatch, capsys):
    stream = terminal(monkeypatch)
    monkeypatch.setitem(sys.modules, "scenefit.report.progress", None)  # not even imported
    fit(*problem(), settings=settings(), progress=False)
    list(fit_steps(*problem(), settings=settings()))
    assert stream.getvalue() == "" and capsys.readouterr() == ("", "")


def test_a_log_stays_empty(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as automatic builds set it
    monkeypatch.setattr(progress, "EVERY", 0.0)
    fit(*problem(), settings=settings())
    monkeypatch.setattr(sys, "stderr", None)  # as a program without a console has it
    fit(*problem(), settings=settings())
    assert capsys.readouterr() == ("", "")


def test_few_photos_are_told_before_the_work():
    with pytest.warns(UserWarning) as told:
        fit_steps(*problem(12), settings=settings())
    assert [str(one.message) for one in told] == ["Only 12 photos: learning a distribution needs a few hundred, and a "
                                                  "noise floor of fewer than 50 is unreliable."]
    assert told[0].filename == __file__, "the caller's line"


def test_many_photos_are_not(recwarn):
    fit_steps(*problem(50), settings=settings())
    assert not recwarn.list


def test_the_bar_of_a_training_shows_stage_step_loss_and_counts_only_the_steps_that_it_saw(monkeypatch):
    """Steps of stages that were kept took no time: the time left is not told from them."""
    steps = [TrainingProgress("zq7", 400, 400, 400, 600, None, stored=True),
             TrainingProgress("round 1 of 2", 0, 100, 400, 600, None),
             TrainingProgress("round 1 of 2", 1, 100, 401, 600, None, 1.23456)]
    stream = terminal(monkeypatch)
    with progress.bar(Console(file=stream), progress.TRAINING_FIELDS) as bar:
        shown = []
        for _ in progress.trained(steps, bar):
            (task,) = bar.tasks
            shown.append((task.description, task.completed, task.fields["loss"], len(task._progress)))
    assert shown == [("zq7, step 400 of 400", 400, "", 0), ("round 1 of 2, preparing images", 400, "", 0),
                     ("round 1 of 2, step 1 of 100", 401, "loss 1.235", 1)] and task.total == 600
    assert "round 1 of 2, step 1 of 100" in stream.getvalue() and "67%" in stream.getvalue()


def test_the_time_left_of_an_evaluation_is_told_by_its_trainings(monkeypatch):
    """A distance takes 1 s, a training 100 s; one that was stopped after a training goes on with the next."""
    for first, left in ((0, [None, 1, None, 500, 400, 300, 200, 100, 0]), (5, [None, 200, 100, 0])):
        with progress.bar(Console(file=terminal(monkeypatch))) as bar:
            now, shown = [0.0], []
            bar.get_time = lambda now=now: now[0]

            def steps(now=now, first=first):
                for done in range(first + 1, 10):
                    now[0] += 1 if done <= 3 else 100
                    yield Step("zq7", done, 9, None, {})

            for _ in progress.evaluated(steps(), bar, 3):
                shown.append(bar.tasks[-1].time_remaining)
        assert shown == left
        assert [(task.completed, task.total) for task in bar.tasks] == [(3, 3), (6, 6)]
