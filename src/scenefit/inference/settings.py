"""The settings of a fit, with defaults chosen by measurement (see `benchmarks/` and `experiments/`)."""

from dataclasses import dataclass, fields, replace
from typing import Any

GRADIENT_NAMES = ("auto", "exact", "finite", "simultaneous", "score")
WARM_STARTS = ("infer", "look", "search", "none")
TASK_TERMS = ("credit", "reinforce", "none")


@dataclass(frozen=True)
class Settings:
    """How to fit. Counts are of images rendered unless said otherwise.

    gradient: how to get one through the renderer; "auto" is exact where the renderer is differentiable, else the score
    function.  warm_start: "infer" brings readings of renders and photos to agree, attribute by attribute; "look" finds
    the attributes of each photo as a whole (its light, its sizes, how many there are), for scenes whose learned
    attributes belong to the root; "search" is CMA-ES on the distance.
    reads, reader_renders, reader_epochs: trainings of the reader; the first on the broad prior, later ones where the
    photos seem to lie.  rounds, round_renders: of the warm start.
    focus: train it once more, close to the photos, and let readings agree again.  looks, look_renders: rounds of
    "look", and renders of each.  look_objects: from the third round on, a detector helps to read; needs the extra
    lite0.
    structure: renders of each of two rounds that learn how many there are, and of which kind, as a policy with the
    scene so far in view (some thousands); 0 leaves each count and choice its own share of values.
    steps, batch: of the descent, by default 60, and none after "look", which such distances made worse; batch is a
    multiple of 64.  rate: of the curves, in units of the
    bounds; by default small after "infer", which ends close by, and larger after the others.
    pretrain: steps of reconstruction before all else (Kar et al. 2019).
    task: how labelled photos enter; task_steps, task_renders: how often, and on how many images a network is trained.
    task_weight: of the task's gradient against the distance's.
    check_renders: for each check of the distance.  most_photos: a larger folder is thinned evenly.
    """

    gradient: str = "auto"
    warm_start: str = "infer"
    reads: int = 3
    reader_renders: int = 4096
    reader_epochs: int = 3
    rounds: int = 3
    focus: bool = True
    round_renders: int = 512
    looks: int = 6
    look_renders: int = 1000
    look_objects: bool = True
    structure: int = 0
    steps: int | None = None
    batch: int = 128
    rate: float | None = None
    pretrain: int = 0
    task: str = "credit"
    task_steps: int = 20
    task_renders: int = 512
    task_weight: float = 0.03
    check_renders: int = 512
    most_photos: int = 2000
    max_renders: int | None = None
    minutes: float | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name, allowed in (("gradient", GRADIENT_NAMES), ("warm_start", WARM_STARTS), ("task", TASK_TERMS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if self.batch < 64 or self.batch % 64:
            raise ValueError(f"batch must be a multiple of 64, got {self.batch}")
        if self.reader_renders < 4:  # a quarter of the later ones are of the broad prior
            raise ValueError(f"reader_renders must be at least 4, got {self.reader_renders}")
        if self.look_renders < 64:
            raise ValueError(f"look_renders must be at least 64, got {self.look_renders}")
        for name, least in (("round_renders", 2), ("check_renders", 2), ("task_renders", 2), ("most_photos", 4)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name in ("reads", "reader_epochs", "looks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.rate is not None and not 0 < self.rate <= 1:
            raise ValueError(f"rate must be above 0 and at most 1, in units of the bounds, got {self.rate}")
        if self.steps is not None and self.steps < 0:
            raise ValueError(f"steps must be at least 0, got {self.steps}")
        if self.structure and self.structure < 64:
            raise ValueError(f"structure must be 0, or at least 64 renders a round, got {self.structure}")
        if not self.task_weight >= 0:
            raise ValueError(f"task_weight must be at least 0, got {self.task_weight}")
        if self.warm_start == "look" and self._look_share < 64:
            raise ValueError(f"max_renders={self.max_renders} is too few for {self.looks} looks of at least 64 "
                             "renders, which get half of them; give more renders, or fewer looks")
        for name in ("rounds", "pretrain", "task_steps", "task_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"minutes must be positive, got {self.minutes}")
        least = 10 * max(self.reads, self.rounds, 4)  # two images for each piece of work
        if self.max_renders is not None and self.max_renders < least:
            raise ValueError(f"max_renders must be at least {least}, got {self.max_renders}")

    def within_budget(self) -> "Settings":
        """The same, with renders scaled down where max_renders asks for it, so that every stage gets its part."""
        if self.max_renders is None:
            return self
        reads, rounds = self.reads + self.focus, max(self.rounds + 2 * self.focus, 1)
        return replace(self, reader_renders=min(self.reader_renders, self.max_renders // (2 * reads)),
                       look_renders=self._look_share,
                       round_renders=min(self.round_renders, max(self.max_renders // (5 * rounds), 2)),
                       check_renders=min(self.check_renders, self.max_renders // 16))

    @property
    def _look_share(self) -> int:
        """Renders of a look: all of them get half of max_renders."""
        if self.max_renders is None or self.warm_start != "look":
            return self.look_renders
        rounds = 2 + 1.125 * (self.looks - 1)  # the first has twice as many, the others an eighth more
        return min(self.look_renders, int((self.max_renders / 2 - 64) / rounds))  # 64 show the classes

    @property
    def descent(self) -> int:
        """The steps, whether they were given or not."""
        if self.steps is not None:
            return self.steps
        return 0 if self.warm_start == "look" else 60

    @property
    def pace(self) -> float:
        """The rate, whether it was given or not."""
        if self.rate is not None:
            return self.rate
        return 0.002 if self.warm_start == "infer" else 0.01

    def record(self) -> dict[str, Any]:
        """In plain values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
