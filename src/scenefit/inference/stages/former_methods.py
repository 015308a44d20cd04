"""Methods that earlier versions had: a run that names one still opens, but nothing can be fitted with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from scenefit.inference.stages.problem import Problem, Stage

FORMER_METHODS = ("moment-matching", "abc", "cma-es")
FORMER_SETTINGS = {"regressor.rounds"}  # saved settings of any method name them
LAST_COMMIT = "8ca52db"  # with these methods
REPLACEMENT = "use npe, the default, which learns attributes of images and of single objects together"


def removed(name: str) -> str:
    """Why a method cannot be chosen, and what to use, for an error."""
    return f"the method {name} was removed; {REPLACEMENT}"


def not_resumed(name: str) -> str:
    """Why a run of a former method does not go on, and what to do, for an error."""
    return (f"was made with the method {name}, which this version no longer has. A finished run can still be reported, "
            "evaluated and generated from. To fit anew, give another folder with --out; to resume this one, install "
            f"scenefit at commit {LAST_COMMIT}")


@dataclass(frozen=True)
class FormerMethod:
    """A method of saved settings that this version no longer has. settings: as they were saved."""

    name: str
    settings: Mapping[str, Any]

    descent_steps = 0
    learning_rate = 0.01

    def check(self, problem: Problem) -> None:
        """ValueError."""
        self._refuse()

    def within(self, max_renders: int) -> "FormerMethod":
        """The same."""
        return self

    def stages(self, problem: Problem, regressor: Any) -> tuple[Stage, ...]:
        """ValueError."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ValueError(removed(self.name))
