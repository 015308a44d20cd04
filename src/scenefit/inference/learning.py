"""The parts that learn, and what each stage of a fit does to them.

Legend: N photos; S scenes; M labelled photos.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from scenefit.data.formats import LabelPolicy
from scenefit.data.photos import Photos
from scenefit.inference.cma_es import cost as search_cost
from scenefit.inference.cma_es import search
from scenefit.inference.gradients import GRADIENTS, Estimate
from scenefit.inference.gradients import cost as gradient_cost
from scenefit.inference.gradients.estimate import leave_one_out
from scenefit.inference.moment_matching import match_moments, nearest_neighbour_abc, widened
from scenefit.inference.pretraining import pretrain
from scenefit.inference.regression_abc import Looking
from scenefit.inference.settings import Settings
from scenefit.inference.structure import StructureSettings, by_distribution, fit_structure
from scenefit.metrics.features import Extractor, compute, to_tensor
from scenefit.metrics.objective import Objective, objective
from scenefit.nets.aggregate_posterior import image_attributes
from scenefit.nets.attribute_regressor import AttributeRegressor, is_grey, regression_targets, targets, train
from scenefit.nets.edit import Edit
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers import Renderer, render, renderer_info
from scenefit.scenes.attributes import Attribute
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch
from scenefit.tasks import Task, headline

NAN = float("nan")
FAINT = 0.05  # gradient of the distance by a move: what is much weaker is noise, and Adam must not blow it up to a step
SLOWEST = 0.1  # of the first rate: where the descent's cosine schedule ends


class Learning:
    """A fit under way. photos uint8 [N, H, W, 3]; few: labelled photos; features: None for the reader's own; keep:
    which objects of renders get boxes, where the photos have them."""

    def __init__(self, grammar: Grammar, renderer: Renderer, photos: np.ndarray, few: Photos | None,
                 task: Task | None, features: Extractor | None, settings: Settings, seed: int,
                 label_policy: LabelPolicy | None = None):
        self.grammar, self.renderer, self.photos, self.few, self.task = grammar, renderer, photos, few, task
        self.features, self.settings, self.seed = features, settings.within_budget(), seed
        self.label_policy = label_policy
        self.distribution = SceneDistribution(grammar, derive_seed(seed, "transformer"))
        self.average = {name: value.detach().clone() for name, value in self.distribution.named_parameters()}
        self.warm = {name: value.clone() for name, value in self.average.items()}
        self.optimiser = torch.optim.Adam([
            {"params": list(self.distribution.curves.parameters()), "scale": 1.0},
            {"params": list(self.distribution.log_sigma.parameters()), "scale": 5.0},
            {"params": [*self.distribution.logits.parameters(), *self.distribution.rules.parameters()], "scale": 5.0},
            {"params": list(self.distribution.network.parameters()), "scale": 0.1}], betas=(0.8, 0.98), eps=FAINT)
        self.targets = targets(grammar)
        predictions = sum(target.width for target in self.targets)
        self.regressor = AttributeRegressor((photos.shape[1], photos.shape[2]), predictions, is_grey(photos),
                                            derive_seed(seed, "reader"))
        self.looking = Looking(grammar, renderer, photos, self.settings, derive_seed(seed, "looking"))
        self.renders, self.trainings, self.baseline = 0, 0, NAN
        self._objective: Objective | None = None
        self._searching: Iterator[float] | None = None
        if settings.warm_start == "look" and not image_attributes(grammar):
            raise ValueError('warm_start="look" finds what belongs to the whole image, and this grammar has no learned '
                             f"number at its root, {grammar.start!r}; use warm_start=\"infer\"")
        name, differentiable = settings.gradient, renderer_info(renderer).differentiable
        self.gradient = ("exact" if differentiable else "score") if name == "auto" else name
        if self.gradient == "exact" and not differentiable:
            raise ValueError('gradient="exact" needs a renderer whose info has draw(scenes) -> torch images, such as '
                             'Sprites; this one has none, so use "auto", "simultaneous" or "score"')

    @property
    def objective(self) -> Objective:
        """Made when it is first needed: the reader's features mean nothing before it is trained."""
        if self._objective is None:
            self._objective = objective(self.features or self.regressor.features, self.photos)
        return self._objective

    def work(self, stage: str, piece: int, of: int) -> tuple[float, float]:
        """Do one piece; returns the distance and the task's score, NaN where not measured."""
        return getattr(self, f"_{stage}")(piece, of)

    def spent(self, stage: str, piece: int, minutes: float) -> bool:
        """Whether a piece of a stage would go beyond what the settings allow, with the checks that follow it."""
        limit = self.settings
        if limit.minutes is not None and minutes > limit.minutes:
            return True
        return limit.max_renders is not None and not self._fits(self._cost(stage, piece), 1 if stage == "task" else 3)

    def _fits(self, cost: int, checks: int = 3) -> bool:
        """Whether so many renders leave enough for the checks that follow."""
        most = self.settings.max_renders
        return most is None or self.renders + cost + checks * self.settings.check_renders <= most

    def _cost(self, stage: str, piece: int) -> int:
        """Renders that a piece of a stage takes."""
        if stage in ("match", "task"):
            purpose, more = ("match", 0) if stage == "match" else ("task match", self.settings.task_renders)
            with torch.no_grad():
                edit = self.distribution.edit(self._seed(purpose, piece), np.arange(self.settings.batch))
            return more + gradient_cost(self.gradient, self.grammar, edit)
        if stage == "search":
            return search_cost(self.distribution)
        if stage == "look":
            return self.looking.cost(piece)
        if stage == "structure":
            return sum(self._structure_settings.renders)
        read, each = self.settings.reader_renders, self.settings.round_renders
        return {"read": read, "infer": each, "focus": read + 2 * each}.get(stage, 0)

    def _seed(self, purpose: str, piece: int) -> int:
        return derive_seed(self.seed, f"{purpose} {piece}")

    def _draw(self, scenes: object) -> Tensor:
        frames = render(self.renderer, scenes)  # type: ignore[arg-type]
        self.renders += len(frames)
        if self.few is not None and self.task is not None and self.settings.task != "none":
            self.task.labels(frames, self.label_policy)  # labels that the task cannot use end the fit here, at once
        return to_tensor(frames.images)

    def _pretrain(self, piece: int, of: int) -> tuple[float, float]:
        pretrain(self.distribution, self._seed("pretrain", piece), self.settings.pretrain)
        return NAN, NAN

    def _read(self, piece: int, of: int) -> tuple[float, float]:
        """Train the reader, first on renders of the broad prior, then where the photos seem to lie."""
        blind = piece == 0 and self.distribution.aggregate_posterior is None
        scenes, images = self._train_reader("read", piece, near=None if blind else self.distribution)
        if piece < of - 1:
            read = self.regressor.predictions
            nearest_neighbour_abc(self.distribution, scenes, compute(read, _bytes(images)), compute(read, self.photos))
            self._settled()
        return NAN, NAN

    @torch.no_grad()
    def _look(self, piece: int, of: int) -> tuple[float, float]:
        """Find the attributes of each photo, first from renders of the broad prior, then of what was found so far."""
        posterior = self.looking.round(self.distribution, piece, self._seed("look", piece))
        self.distribution = self.distribution.with_aggregate_posterior(posterior)
        self.renders, self.trainings = self.renders + self.looking.renders, self.trainings + self.looking.trainings
        self._settled()
        return NAN, NAN

    def _structure(self, piece: int, of: int) -> tuple[float, float]:
        """How many, and of which kind, with the rest of the scene in view; attributes as they are known so far."""
        *_, step = fit_structure(self.grammar, self.renderer, self.photos, seed=self._seed("structure", piece),
                                 draw=by_distribution(self.distribution), start=self.distribution.structure,
                                 settings=self._structure_settings)
        self.distribution = self.distribution.with_structure(step.structure)
        self.renders, self.trainings = self.renders + step.renders, self.trainings + step.of
        self._settled()
        return NAN, NAN

    @property
    def _structure_settings(self) -> StructureSettings:
        return StructureSettings(renders=(self.settings.structure,) * 2)

    def _train_reader(self, stage: str, piece: int, near: SceneDistribution | None) -> tuple[SceneBatch, Tensor]:
        """Train on the broad prior's renders or, but for a quarter, on those of a distribution near the photos.

        The quarter keeps the reader from forgetting what lies far away. Returns the scenes, near ones if any, and
        their images.
        """
        count, seed, wide = self.settings.reader_renders, self._seed(stage, piece), uniform_randomisation(self.grammar)
        parts = [wide.sample(seed, count)]
        if near is not None:
            parts = [near.sample(seed, count - count // 4), wide.sample(seed, count // 4)]
        images = [self._draw(part) for part in parts]
        truth = torch.cat([regression_targets(self.grammar, self.targets, part) for part in parts])
        train(self.regressor, torch.cat(images), truth, seed, self.settings.reader_epochs)
        self.trainings += 1
        self._objective = None  # the features have changed
        return parts[0], images[0]

    def _focus(self, piece: int, of: int) -> tuple[float, float]:
        """Train the reader once more, close to the photos now, and let readings agree again."""
        self._train_reader("focus", piece, near=widened(self.distribution))
        for number in range(2):
            distance = self._agree(self._seed("focused", number), keep_ends=True)
        self._settled()
        return distance, NAN

    @torch.no_grad()
    def _infer(self, piece: int, of: int) -> tuple[float, float]:
        """Read photos and renders of the present distribution; move it so that the readings agree."""
        distance = self._agree(self._seed("infer", piece), keep_ends=piece > 0)
        if piece == of - 1:
            cost = self.settings.rounds * self.settings.round_renders + 2 * self.settings.check_renders
            for target in self.targets:
                if target.form == "angle" and self._fits(cost):
                    self._try_other_end(target.attribute)
        self._settled()
        return distance, NAN

    @torch.no_grad()
    def _agree(self, seed: int, keep_ends: bool) -> float:
        """One round; returns the distance before it."""
        scenes = self.distribution.sample(seed, self.settings.round_renders)
        images = self._draw(scenes)
        read = self.regressor.predictions
        match_moments(self.distribution, self.targets, scenes, read(images), compute(read, self.photos),
                      regression_targets(self.grammar, self.targets, scenes), keep_ends)
        return float(self.objective.loss(images))

    def _try_other_end(self, attribute: Attribute) -> None:
        """Readings confuse the ends of an axis; so settle at both, and let the distance say which is right."""
        here = {name: value.detach().clone() for name, value in self.distribution.named_parameters()}
        before = self._distance("ends")
        self.distribution.shift_offsets(attribute, 0.5)
        for piece in range(self.settings.rounds):
            self._agree(self._seed("other end", piece), keep_ends=True)
        if self._distance("ends") > before:
            self._set(here)

    def _distance(self, purpose: str) -> float:
        """Of fresh scenes of the present distribution; the same purpose has the same scenes."""
        scenes = self.distribution.sample(self._seed(purpose, 0), self.settings.check_renders)
        return float(self.objective.loss(self._draw(scenes)))

    def _search(self, piece: int, of: int) -> tuple[float, float]:
        """One generation of CMA-ES; a resume repeats the generations before it, for its state is not kept."""
        if self._searching is None:
            self._searching = search(self.distribution, self.renderer, self.objective, self._seed("search", 0), of)
            for _ in range(piece):
                next(self._searching, NAN)
        best = next(self._searching, NAN)  # NaN where there is no number to search for
        self.renders += search_cost(self.distribution)
        self._settled()
        return best, NAN

    def _match(self, piece: int, of: int) -> tuple[float, float]:
        """One step down the distance."""
        index = np.arange(self.settings.batch)
        edit = self.distribution.edit(self._seed("match", piece), index)
        estimate = self._estimate(edit, piece)
        self._descend(estimate.surrogate, piece, of)
        return estimate.loss, NAN

    def _estimate(self, edit: Edit, piece: int) -> Estimate:
        estimator = GRADIENTS[self.gradient]
        estimate = estimator(self.grammar, self.renderer, edit, self.objective, self._seed("estimate", piece))
        self.renders += estimate.renders
        return estimate

    def _descend(self, surrogate: Tensor, piece: int, of: int) -> None:
        """One step of the optimiser; the second half of a stage is averaged, which calms the noise of single steps."""
        pace = SLOWEST + (1 - SLOWEST) * (1 + np.cos(np.pi * piece / of)) / 2
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.pace * group["scale"] * pace
        self.optimiser.zero_grad()
        surrogate.backward()
        self.optimiser.step()
        weight = 1 / (max(piece - of // 2, 0) + 1)
        with torch.no_grad():
            for name, value in self.distribution.named_parameters():
                self.average[name].lerp_(value, weight)

    @torch.no_grad()
    def _settle(self, piece: int, of: int) -> tuple[float, float]:
        """Keep the descent's average or the warm start, whichever lies closer to the photos on fresh scenes."""
        moved = any(not torch.equal(self.average[name], value) for name, value in self.warm.items())
        distances = []
        for weights in ([self.warm, self.average] if moved else [self.warm]):
            self._set(weights)
            distances.append(self._distance("settle"))
        self._set(self.average if len(distances) == 2 and distances[1] <= distances[0] else self.warm)
        self._settled()
        return min(distances), NAN

    def _task(self, piece: int, of: int) -> tuple[float, float]:
        """One training of the task's network: its reward, and the distance still, move the distribution."""
        assert self.few is not None and self.task is not None
        edit = self.distribution.edit(self._seed("task", piece), np.arange(self.settings.task_renders))
        frames = render(self.renderer, edit.scenes)
        self.renders += len(frames)
        seed = derive_seed(self.seed, "task network")  # the same first weights for every score
        labels, real = (self.task.labels(source, self.label_policy) for source in (frames, self.few))
        if self.settings.task == "credit":
            reward, score = self.task.influence(frames.images, labels, self.few.images, real, seed)
            advantage = leave_one_out(reward)
        else:
            network = self.task.train(frames.images, labels, seed)
            score = headline(self.task.evaluate(network, self.few.images, real))
            self.baseline = score if np.isnan(self.baseline) else 0.8 * self.baseline + 0.2 * score
            advantage = torch.full((len(frames),), (score - self.baseline) * len(frames) ** 0.5)
        self.trainings += 1
        close = self.distribution.edit(self._seed("task match", piece), np.arange(self.settings.batch))
        estimate = self._estimate(close, piece)
        gain = (advantage * edit.log_prob()).mean()
        self._descend(estimate.surrogate - self.settings.task_weight * gain, piece, of)
        return estimate.loss, score

    @torch.no_grad()
    def _check(self, piece: int, of: int) -> tuple[float, float]:
        """The distance of what was learned, on scenes that nothing was fitted or chosen on."""
        self._set(self.average)
        return self._distance("check"), NAN

    def _settled(self) -> None:
        """Where the next stage starts from."""
        for name, value in self.distribution.named_parameters():
            self.warm[name] = value.detach().clone()
            self.average[name] = value.detach().clone()

    @torch.no_grad()
    def _set(self, weights: Mapping[str, Tensor]) -> None:
        for name, value in self.distribution.named_parameters():
            value.copy_(weights[name])

    def state(self) -> dict[str, Tensor]:
        """All that later pieces depend on."""
        out = {"counts": torch.tensor([self.renders, self.trainings]),
               "baseline": torch.tensor(self.baseline, dtype=torch.float64)}
        for part, values in (("transformer", self.distribution.state_dict()), ("reader", self.regressor.state_dict()),
                             ("average", self.average), ("warm", self.warm)):
            out |= {f"{part}:{name}": value.detach().clone().contiguous() for name, value in values.items()}
        out |= {f"finder:{name}": value for name, value in self.looking.state().items()}
        for number, moments in self.optimiser.state_dict()["state"].items():
            out |= {f"adam:{number}:{name}": value.clone() for name, value in moments.items()}
        return out

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state()`."""
        self.renders, self.trainings = (int(count) for count in state["counts"])
        self.baseline = float(state["baseline"])
        parts: dict[str, dict[str, Tensor]] = {}
        for key, value in state.items():
            part, _, name = key.partition(":")
            parts.setdefault(part, {})[name] = value.clone()
        self.distribution = self.distribution.with_parts_of(parts["transformer"])
        self.distribution.load_state_dict(parts["transformer"])
        self.looking.load(parts.get("finder", {}))
        self.regressor.load_state_dict(parts["reader"])
        self.average, self.warm = parts["average"], parts["warm"]
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in parts.get("adam", {}).items():
            number, _, name = key.partition(":")
            moments.setdefault(int(number), {})[name] = value
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})


def _bytes(images: Tensor) -> np.ndarray:
    """[S, 3, H, W] in 0..1 -> uint8 [S, H, W, 3]."""
    return (images * 255).round().byte().permute(0, 2, 3, 1).numpy()
