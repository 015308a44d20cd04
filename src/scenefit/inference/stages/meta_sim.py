"""The method "meta-sim", the paper's own chain (Kar et al., ICCV 2019), kept as the baseline: reconstruction
pre-training, then descent on the MMD, then, with labelled photos, the task's reward. And "none": descent alone."""

from dataclasses import dataclass

from scenefit.inference.stages.pretraining import pretraining
from scenefit.inference.stages.problem import Problem, Stage
from scenefit.inference.stages.regressor import Regressor, once
from scenefit.inference.stages.setting_types import check_types


@dataclass(frozen=True)
class MetaSim:
    """The method "meta-sim": the chain of Kar et al. 2019.

    pretraining: steps of reconstruction, of 64 scenes each. The descent after it is that of the settings (`Descent`),
    400 steps by default. In place of the paper's feature network, one is trained on renders.
    """

    pretraining: int = 200

    name = "meta-sim"
    descent_steps = 400
    learning_rate = 0.01

    def __post_init__(self) -> None:
        check_types(self, "method.")
        if self.pretraining < 0:
            raise ValueError(f"method.pretraining must be at least 0, got {self.pretraining}")

    def check(self, problem: Problem) -> None:
        """Any learned attribute will do."""

    def within(self, max_renders: int) -> "MetaSim":
        """The same: pre-training renders nothing."""
        return self

    def stages(self, problem: Problem, regressor: Regressor) -> tuple[Stage, ...]:
        return pretraining(self.pretraining), *once(problem, regressor)


@dataclass(frozen=True)
class NoMethod:
    """Nothing before the descent."""

    name = "none"
    descent_steps = 60
    learning_rate = 0.01

    def check(self, problem: Problem) -> None:
        """Any learned attribute will do."""

    def within(self, max_renders: int) -> "NoMethod":
        return self

    def stages(self, problem: Problem, regressor: Regressor) -> tuple[Stage, ...]:
        return once(problem, regressor)
