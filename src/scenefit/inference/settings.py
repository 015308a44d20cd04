"""The settings of a fit: those of its stages, and its budget. Defaults were chosen by measurement (`benchmarks/`,
`experiments/`)."""

import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, Protocol

from scenefit.inference.npe.method import Npe
from scenefit.inference.stages.former_methods import FORMER_METHODS, FORMER_SETTINGS, FormerMethod, removed
from scenefit.inference.stages.meta_sim import MetaSim, NoMethod
from scenefit.inference.stages.mmd_descent import Descent
from scenefit.inference.stages.problem import Budget, Problem, Stage
from scenefit.inference.stages.regressor import Regressor
from scenefit.inference.stages.setting_types import check_types
from scenefit.inference.stages.structure import Structure
from scenefit.inference.stages.task_reward import TaskReward
from scenefit.inference.stages.validation import keep_best, validation
from scenefit.scenes.suggestions import did_you_mean


class Method(Protocol):
    """How a fit comes near the photos: a frozen settings class that lists its stages.

    descent_steps, learning_rate: defaults of the MMD descent that follows it.  check: ValueError where it cannot learn
    the problem.  within: the same with its share of max_renders.
    """

    @property
    def name(self) -> str: ...

    @property
    def descent_steps(self) -> int: ...

    @property
    def learning_rate(self) -> float: ...

    def check(self, problem: Problem) -> None: ...

    def within(self, max_renders: int) -> "Method": ...

    def stages(self, problem: Problem, regressor: Regressor) -> tuple[Stage, ...]: ...


METHODS: dict[str, Any] = {"auto": Npe, **{method.name: method for method in (Npe, MetaSim, NoMethod)}}
METHOD_PARTS = tuple(name for name in vars(Method) if not name.startswith("_"))
MIN_RENDERS = 40  # of a whole fit
REGRESSOR_SHARE = 8  # one in so many renders is for a training of the regressor, at most


@dataclass(frozen=True)
class Settings:
    """How to fit. Counts are of images rendered unless said otherwise.

    method: how to estimate the distribution: a name of `METHODS` ("auto" is "npe"), or one of their settings classes,
    such as Npe(rounds=2).  regressor: training of the network that predicts attributes of images and whose features
    measure the distance.  structure: a policy for counts and kinds.  descent: on the MMD.
    task: labelled photos as reward.
    validation_renders: for each measurement of the distance.  max_photos: of a larger folder, as many, evenly spread.
    max_renders: of the whole fit; every stage then gets its share.  minutes: of wall clock, after which no step begins.
    device: "cpu", "cuda" or a certain GPU such as "cuda:1": of all networks and, if it can choose, of the renderer.
    """

    method: str | Method = "auto"
    regressor: Regressor = field(default_factory=Regressor)
    structure: Structure = field(default_factory=Structure)
    descent: Descent = field(default_factory=Descent)
    task: TaskReward = field(default_factory=TaskReward)
    validation_renders: int = 512
    max_photos: int = 2000
    max_renders: int | None = None
    minutes: float | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        if isinstance(self.method, str):
            if self.method in FORMER_METHODS:
                raise ValueError(removed(self.method))
            if self.method not in METHODS:
                raise ValueError(f"method must be one of {', '.join(METHODS)}, or the settings of one, got "
                                 f"{self.method!r}")
            object.__setattr__(self, "method", METHODS[self.method]())
        _check_method(self.method)
        for name, kind in (("regressor", Regressor), ("structure", Structure), ("descent", Descent),
                           ("task", TaskReward)):
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"{name} needs the settings scenefit.{kind.__name__}(...), got "
                                 f"{_kind(getattr(self, name))}")
        check_types(self)
        if not re.fullmatch(r"cpu|cuda(:\d+)?", self.device):
            raise ValueError(f"device must be cpu, cuda or a certain GPU such as cuda:1, got {self.device!r}")
        for name, least in (("validation_renders", 2), ("max_photos", 4)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"minutes must be positive, got {self.minutes}")
        if self.max_renders is not None and self.max_renders < MIN_RENDERS:
            raise ValueError(f"max_renders must be at least {MIN_RENDERS}, got {self.max_renders}")
        self.within_budget()

    @property
    def chosen(self) -> Method:
        """The method's settings."""
        assert not isinstance(self.method, str)
        return self.method

    def within_budget(self) -> "Settings":
        """The same, with renders scaled down where max_renders asks for it, so that every stage gets its part."""
        if self.max_renders is None:
            return self
        return replace(self, method=self.chosen.within(self.max_renders),
                       regressor=replace(self.regressor, renders=max(min(
                           self.regressor.renders, self.max_renders // REGRESSOR_SHARE), 4)),
                       validation_renders=min(self.validation_renders, self.max_renders // 16), max_renders=None)

    def budget(self) -> Budget:
        """What stages may spend."""
        return Budget(self.within_budget().validation_renders, self.max_renders, self.minutes)

    def stages(self, problem: Problem) -> tuple[Stage, ...]:
        """The whole fit. ValueError where the method or the gradient does not suit the problem."""
        own = self.within_budget()
        own.chosen.check(problem)
        descent = own.descent.resolved(problem, own.chosen.descent_steps, own.chosen.learning_rate)
        return (*own.chosen.stages(problem, own.regressor), *own.structure.stages(problem), descent.stage(),
                keep_best(problem, bool(descent.steps)), *own.task.stages(problem, descent), validation(problem))

    def record(self) -> dict[str, Any]:
        """As plain JSON values, nested as the settings are; the method under its name."""
        return {**asdict(self), "method": {"name": self.chosen.name, **asdict(self.chosen)}}  # type: ignore[call-overload]


def _check_method(method: Any) -> None:
    """ValueError for anything but an instance with all the parts of `Method`."""
    lacking = [part for part in METHOD_PARTS if not hasattr(method, part)]
    if isinstance(method, type) or not is_dataclass(method):
        raise ValueError(f"method needs one of the names {', '.join(METHODS)}, or the settings of one, such as "
                         f"Npe(rounds=2), got {_kind(method)}")
    if lacking:
        raise ValueError(f"method {type(method).__name__} lacks {', '.join(lacking)}; "
                         "scenefit.inference.settings.Method describes what a method has")


def _kind(value: Any) -> str:
    return f"the class {value.__name__} itself; make one" if isinstance(value, type) else repr(value)


def settings_from(record: Mapping[str, Any]) -> Settings:
    """Settings from their `record`. ValueError or TypeError, naming what does not fit."""
    plain, kinds = dict(record), {f.name: f.default_factory for f in fields(Settings) if f.default_factory != MISSING}
    if "method" in plain:
        if not isinstance(plain["method"], Mapping):
            raise ValueError(f"method needs its name and settings, got {plain['method']!r}")
        given = dict(plain["method"])
        name = given.pop("name", None)
        if isinstance(name, str) and name in FORMER_METHODS:
            plain["method"] = FormerMethod(name, given)
        elif not isinstance(name, str) or name not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {name!r}")
        else:
            plain["method"] = _made(METHODS[name], given, "method.")
    for name, value in plain.items():
        if isinstance(value, Mapping) and name in kinds:
            known = {key: one for key, one in value.items() if f"{name}.{key}" not in FORMER_SETTINGS}
            plain[name] = _made(kinds[name], known, f"{name}.")
    return _made(Settings, plain)


def _made(kind: Any, values: Mapping[str, Any], group: str = "") -> Any:
    """kind(**values). ValueError, naming it, for a setting that it does not have. group: as of `check_types`."""
    known = [one.name for one in fields(kind)]
    for name in values:
        if name not in known:
            raise ValueError(f"there is no setting {group}{name}{did_you_mean(name, known)}")
    return kind(**values)


def flat(settings: Settings) -> dict[str, Any]:
    """Every single setting by its path: "descent.steps" -> 60, "method.rounds" -> 3."""
    return flatten(asdict(settings))


def flatten(record: Mapping[str, Any]) -> dict[str, Any]:
    """{"descent": {"steps": 2}} as {"descent.steps": 2}; of settings or of their `record`, one level deep."""
    out: dict[str, Any] = {}
    for name, value in record.items():
        out |= {f"{name}.{inner}": one for inner, one in value.items()} if isinstance(value, Mapping) else {name: value}
    return out


def changed(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with some single ones, by their paths as in `flat`, replaced. KeyError for an unknown path."""
    nested: dict[str, Any] = {}
    known = flat(settings)
    for path, value in values.items():
        if path not in known:
            raise KeyError(path)
        name, _, inner = path.partition(".")
        if inner:
            nested.setdefault(name, {})[inner] = value
        else:
            nested[name] = value
    return replace(settings, **{name: replace(getattr(settings, name), **value) if isinstance(value, dict) else value
                                for name, value in nested.items()})
