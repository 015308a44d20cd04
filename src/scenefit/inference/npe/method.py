"""The method "npe": sequential, tiled neural posterior estimation for scene graphs.

Each round simulates scenes of a proposal, trains networks that predict attributes of images and of single objects,
infers posterior samples of the photos, corrects them by predictions on renders of the present distribution, whose truth
is known, and fits the distribution of scenes to them (Papamakarios and Murray 2016; Greenberg et al. 2019; tiled:
Patel et al. 2025). The first proposal is uniform within all bounds; later ones lie near the photos.

Legend: S scenes; N photos; R targets.
"""

from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from itertools import count as count_from

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.inference.npe.diagnostics import calibration, object_counts, r_squared
from scenefit.inference.npe.distances import distance_by_chance, distance_of_predictions, two_sample
from scenefit.inference.npe.infer import DRAWS, KNOWN_CASES, held_out_samples, infer
from scenefit.inference.npe.matching import MIN_R2, Known, Predictions
from scenefit.inference.npe.places import Placed, find_placed, known_placed, with_placed
from scenefit.inference.npe.posterior import PosteriorSamples
from scenefit.inference.npe.predictor import Predictor, regressed
from scenefit.inference.npe.propose import proposal
from scenefit.inference.npe.reconstruct import N_MEASURED, N_PHOTOS, chosen_photos, reconstructions, reduced
from scenefit.inference.npe.simulate import Simulations, simulate
from scenefit.inference.npe.structure import Structure, all_placed, structure_of
from scenefit.inference.npe.train import N_SCALE, backbone_for, epochs_of, train_objects
from scenefit.inference.npe.turns import angles, direction_renders, turned_where_nearer
from scenefit.inference.npe.update import update
from scenefit.inference.stages.problem import Problem, Stage, State, moved
from scenefit.inference.stages.regressor import Regressor
from scenefit.inference.stages.setting_types import check_types
from scenefit.metrics.summary_statistics import histogram_for
from scenefit.nets.attribute_regressor import MAX_SIDE, train, training_images
from scenefit.nets.frozen_maps import FrozenMaps, frozen_maps
from scenefit.nets.object_network import ObjectNetwork
from scenefit.nets.object_targets import ObjectSpec, object_kinds, object_spec, single_kinds
from scenefit.nets.placement import networks_on
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers.batches import render_parts, scenes_at_once
from scenefit.scenes.attributes import Key
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]
N_SHOWN = 32  # renders, to see which kinds are objects
SIMULATED = 2**18  # renders of a round times the side of an image, by default: 2,048 of 128x128, 1,024 of 256x256
MIN_RENDERS, MAX_RENDERS = 400, 4096  # of a round, by default
HELD_OUT = 0.2  # share of a round's renders that networks are not trained on
COMPARED = 200  # renders of the present distribution, for each correction; without objects `COMPARED_SMALL`
COMPARED_SMALL = 512
CORRECTIONS = 2  # of a round
IMAGE_ROUNDS = 2  # of whole images alone, at most; one where the image has a single attribute
FEW_RENDERS = 128  # of a round: where a budget does not reach for so many, there are fewer rounds
DRAWN_AGAIN = 200  # scenes of photos, in each correction, to see where they place objects
FIRST_RATE, LATER_RATE = 4e-3, 2e-3
# A round that infers nothing new is the last if it leaves more than this share of the distance of predictions on photos
# and on renders; with objects also if it leaves more than this share of what the round before left, or a distance not
# much larger than that of a random split of both. Without objects, further rounds take seconds and still help.
MIN_GAIN, MAX_CHANCE_RATIO = 0.97, 1.2


@dataclass(frozen=True)
class Npe:
    """The method "npe": sequential, tiled neural posterior estimation.

    rounds: of simulation, training, inference and correction.  renders: of each round; 0 chooses by the size of the
    images.  steps: of training of the network of single objects in its first round, of 16 crops each; later rounds
    take half as many.  samples: of each photo's posterior.
    """

    rounds: int = 5
    renders: int = 0
    steps: int = 300
    samples: int = 4

    name = "npe"
    descent_steps = 0
    learning_rate = 0.002  # small, for this method ends close to the photos
    prepared = N_SHOWN  # renders before the first round

    def __post_init__(self) -> None:
        check_types(self, "method.")
        for name in ("rounds", "steps", "samples"):
            if getattr(self, name) < 1:
                raise ValueError(f"method.{name} must be at least 1, got {getattr(self, name)}")
        if self.renders and self.renders < 64:
            raise ValueError(f"method.renders must be 0, or at least 64 renders a round, got {self.renders}")

    def check(self, problem: Problem) -> None:
        """Any learned attribute will do."""

    def within(self, max_renders: int) -> "Npe":
        """The same with its share of max_renders; a quarter is for measurements of the distance."""
        rounds = max(n for n in range(1, self.rounds + 1) if n == 1 or self._affordable(max_renders, n) >= FEW_RENDERS)
        most = self._affordable(max_renders, rounds)
        return replace(self, rounds=rounds, renders=min(self.renders, most) if self.renders else 0)

    def _affordable(self, max_renders: int, rounds: int) -> int:
        """Renders that the networks can learn from in each of so many rounds, within a budget: corrections render at
        most as many again, each, and at most `COMPARED_SMALL`."""
        left = (max_renders * 3 // 4 - N_SHOWN - N_MEASURED - N_PHOTOS) // rounds
        return max(64, left // (1 + CORRECTIONS), left - CORRECTIONS * COMPARED_SMALL)

    def stages(self, problem: Problem, regressor: Regressor) -> tuple[Stage, ...]:
        spec, count = spec_of(problem), self.simulated(problem)
        photos = len(problem.images) * self.scenes_each(problem)
        most = structure_of(problem, spec, all_placed(problem.grammar, spec))
        # Within a tight budget, renders are better spent on what the networks learn from.
        given = problem.budget.max_renders
        looked = bool(spec.kinds) and (given is None or (most.renders(photos, KNOWN_CASES) <= count // 2
                                                         and self._first(problem, spec, most) <= given))
        if not looked:
            self._check_budget(problem, spec)

        first = cache(lambda: find_placed(problem, spec) if looked else Placed())  # before the first round
        maps = cache(lambda: photo_maps(problem, spec, count))

        def run(problem: Problem, state: State, step: int) -> State:
            placed = known_placed(problem, spec, state) or first()
            structure = structure_of(problem, spec, placed) if placed.kinds else None
            done = _round(problem, state, step, self, regressor, spec, structure, maps)
            return with_placed(problem, spec, done, placed)

        def renders(problem: Problem, state: State, step: int) -> int:
            placed = known_placed(problem, spec, state) or first()
            structure = structure_of(problem, spec, placed) if placed.kinds else None
            return self._round(problem, spec, structure, step) + (first().renders if step == 0 else 0)

        return (Stage(self.name, self.rounds, run, renders, 4 * (count + CORRECTIONS * compared(spec, count))),)

    def of_images(self, problem: Problem, spec: ObjectSpec) -> int:
        """How many rounds, the first ones, predict attributes of whole images alone: objects are easier to learn in
        images that are like the photos."""
        of_image = sum(a.kind in spec.single and not a.count for a in problem.grammar.learned)
        return min(IMAGE_ROUNDS, of_image, self.rounds // 2) if spec.kinds else 0

    def may_end(self, problem: Problem, spec: ObjectSpec, step: int) -> bool:
        """Whether this round may be the last: any but the first of those that predict objects and, where these are of
        several kinds, the second, since kinds often come right in the third only."""
        return step == self.rounds - 1 or step > self.of_images(problem, spec) + (len(spec.kinds) > 1)

    def _round(self, problem: Problem, spec: ObjectSpec, structure: Structure | None, step: int) -> int:
        """Renders of a round at most."""
        count, shown = self.simulated(problem), len(chosen_photos(len(problem.images)))
        each, of_shown = (0 if structure is None else structure.renders(scenes, KNOWN_CASES)
                          for scenes in (len(problem.images) * self.scenes_each(problem), shown))
        ends, each_time = self.may_end(problem, spec, step), compared(spec, count)
        if step < self.of_images(problem, spec):
            count, each = count // 2, 0
        turns = direction_renders(count) * len([] if spec.kinds else angles(problem.grammar, spec.single))
        return count + CORRECTIONS * (each_time + each) + turns + (N_MEASURED + shown + of_shown if ends else 0)

    def _first(self, problem: Problem, spec: ObjectSpec, most: Structure | None) -> int:
        """All renders until the first round has ended, and the measurements that follow. most: where it is used."""
        return (1 + N_SHOWN + self._round(problem, spec, most, 0) + (0 if most is None else most.placed.renders)
                + 3 * problem.budget.validation_renders)

    def _check_budget(self, problem: Problem, spec: ObjectSpec) -> None:
        """ValueError where the budget has no room for a single round, after which only the prior would remain."""
        given, taken = problem.budget.max_renders, self._first(problem, spec, None)
        if given is not None and taken > given:
            alone = taken - 3 * problem.budget.validation_renders
            least = next(n for n in count_from(alone) if n - 3 * (n // 16) >= alone)  # `Settings.within_budget`
            raise ValueError(f"max_renders={given} is too few for a single round of npe, which takes {least} here, and "
                             f"without one the prior would remain; give {least} at least, better some thousands")

    def simulated(self, problem: Problem) -> int:
        """Renders of a round that the networks learn from."""
        given = problem.budget.max_renders
        most = MAX_RENDERS if given is None else self._affordable(given, self.rounds)
        return self.renders or min(self.preferred(problem), most)

    def preferred(self, problem: Problem) -> int:
        """The same by default."""
        return int(np.clip(SIMULATED / np.prod(problem.size) ** 0.5, MIN_RENDERS, MAX_RENDERS))

    def scenes_each(self, problem: Problem) -> int:
        """Samples of each photo's posterior where they are drawn, to see where they place objects."""
        return max(1, min(self.samples, DRAWN_AGAIN // len(problem.images)))


def compared(spec: ObjectSpec, simulated: int) -> int:
    """Renders of the present distribution for one correction, not more than those that the networks learn from."""
    return min(COMPARED if spec.kinds else COMPARED_SMALL, simulated)


def spec_of(problem: Problem) -> ObjectSpec:
    """What is predicted of objects. In small images, a kind of which each scene holds one node is no object: its
    attributes are those of the image."""
    uniform = uniform_randomisation(problem.grammar)
    single = single_kinds(problem.grammar, uniform.sample(0, 2 * N_SHOWN))
    shown = uniform.sample(problem.seed_of("kinds"), N_SHOWN)
    seen = {kind for frames in render_parts(problem.renderer, shown, problem.size) for kind in object_kinds(frames)}
    kinds = [kind for kind in problem.grammar.kinds if kind in seen]
    small = max(problem.size) <= MAX_SIDE
    return object_spec(problem.grammar, [kind for kind in kinds if not (small and kind in single)], single)


def load_network(problem: Problem, weights: Mapping[str, Tensor]) -> ObjectNetwork:
    """The network of a saved state."""
    network = fresh_network(problem, spec_of(problem))
    network.load_state_dict(dict(weights))
    return network.eval()


def _round(problem: Problem, state: State, step: int, settings: Npe, regressor: Regressor,
           spec: ObjectSpec, structure: Structure | None, maps: Callable[[], FrozenMaps | None]) -> State:
    if "stopped:" in state.diagnostics:
        return state
    seed, count, first = problem.seed_of("npe", step), settings.simulated(problem), settings.of_images(problem, spec)
    network = (deepcopy(state.posterior) or fresh_network(problem, spec)) if spec.kinds else None
    each_time, may_end = compared(spec, count), settings.may_end(problem, spec, step)
    if step < first:
        spec, structure, count = replace(spec, kinds=(), attributes=()), None, count // 2
    uniform = uniform_randomisation(problem.grammar)
    kinds = {*spec.kinds, *(one.attribute.kind for one in spec.attributes)}
    parts = ([uniform.sample(seed, count)] if step == 0 else
             proposal(state.distribution, uniform, kinds, last_r2(state), count, seed))
    simulated = simulate(problem, spec, parts, seed, network is not None)
    held = np.flatnonzero(np.arange(count) % round(1 / HELD_OUT) == 0)
    predictor, photos, r2 = trained(problem, state, step - first, settings, regressor, spec, network, simulated, held,
                                    maps())
    visible = visible_attributes(state, r2)
    if step < first:  # counts are better told by objects
        visible = {key: value for key, value in visible.items() if key not in _counts(problem)}
    distribution, distances, renders = state.distribution, [], state.renders + count
    per_photo = settings.samples if structure is None else settings.scenes_each(problem)
    for number in range(CORRECTIONS):
        own = problem.seed_of("npe correction", CORRECTIONS * step + number)
        scenes = (uniform if step == number == 0 else distribution).sample(own, each_time)
        fresh = simulate(problem, spec, [scenes], own, network is not None)
        predicted, renders = predictor(fresh.images), renders + len(scenes)
        distances.append(distance_of_predictions(photos, predicted, spec))
        known = Known([scenes], fresh.truth.double().numpy(), fresh.objects)
        samples = infer(problem.grammar, problem.targets, spec, photos, predicted, known, visible, per_photo, own,
                        derive=structure)
        renders += samples.renders
        distribution = _updated(problem, samples, own)
    before = samples
    if network is None and (turning := [a for a in angles(problem.grammar, spec.single) if a.key in samples.inferred]):
        samples = turned_where_nearer(problem, distribution, samples, turning, count, seed)
        renders += len(turning) * direction_renders(count)
        distribution = distribution if samples is before else _updated(problem, samples, own)
    new = samples is not before or not all(inferred_before(state, key) for key in visible)
    last = step == settings.rounds - 1
    stopped = may_end and not last and not new and (
        distances[-1] > MIN_GAIN * distances[0]
        or (network is not None and _no_closer(state, distances[-1], photos, predicted, spec, own)))
    found = {"simulated:": torch.tensor([count, settings.preferred(problem)]),
             "seen:": torch.tensor(predictor.regressor.input_size if network is None else problem.size),
             "c2st:": torch.tensor([two_sample(photos, predicted, spec, seed)]), "apart:": torch.tensor(distances),
             **{f"r2:{kind}.{name}": torch.tensor(value) for (kind, name), value in r2.items()},
             **_checks(problem, spec, photos, predicted, known, visible, samples.inferred, own),
             **({"stopped:": torch.tensor(1.0)} if stopped else {})}
    if last or stopped:
        mode = infer(problem.grammar, problem.targets, spec, photos, predicted, known, visible, 1, own, DRAWS,
                     chosen_photos(len(problem.images)), structure)
        found |= _shown(problem, mode)
        renders += N_MEASURED + len(found["photos:"]) + mode.renders
    return moved(state, distribution, regressor=predictor.regressor, posterior=predictor.network, renders=renders,
                 trainings=state.trainings + 1, objective=problem.objective(predictor.regressor), diagnostics=found)


def _updated(problem: Problem, samples: PosteriorSamples, seed: int) -> SceneDistribution:
    return update(networks_on(SceneDistribution(problem.grammar, 0), problem.device), samples, seed)


def last_r2(state: State) -> dict[Key, float]:
    """Of the round before, by key."""
    found = {tuple(name[3:].split(".", 1)): value for name, value in state.diagnostics.items()
             if name.startswith("r2:")}
    return {(kind, name): float(value) for (kind, name), value in found.items()}


def _no_closer(state: State, distance: float, photos: Predictions, renders: Predictions, spec: ObjectSpec,
               seed: int) -> bool:
    """Whether predictions on photos and renders are as far apart as after the round before, or hardly further than by
    chance. The round's own gain may not show it: a new network's first distance is often larger."""
    before = float(state.diagnostics["apart:"][-1])
    return (distance > MIN_GAIN * before
            or distance <= MAX_CHANCE_RATIO * distance_by_chance(photos, renders, spec, seed))


def _counts(problem: Problem) -> set[Key]:
    return {a.key for a in problem.grammar.learned if a.count}


def visible_attributes(state: State, r2: Mapping[Key, float]) -> dict[Key, float]:
    """Those that are inferred, with their R2. state: after the rounds before."""
    return {key: value for key, value in r2.items() if value >= MIN_R2 or inferred_before(state, key)}


def inferred_before(state: State, key: Key) -> bool:
    """Whether an earlier round inferred it. A later one, whose renders differ less, may not see it."""
    return bool(state.diagnostics.get(f"inferred:{key[0]}.{key[1]}", 0.0))


def _checks(problem: Problem, spec: ObjectSpec, photos: Predictions, renders: Predictions, known: Known,
            visible: Mapping[Key, float], inferred: Collection[Key], seed: int) -> dict[str, Tensor]:
    """Coverage of the posterior on renders of known truth, and counts of objects predicted in photos and renders."""
    held_out = held_out_samples(problem.grammar, problem.targets, spec, renders, known, visible, seed)
    counts = object_counts(spec, photos, renders, known)
    return {**{name: torch.tensor(value) for name, value in calibration(problem.grammar, held_out, inferred,
                                                                        seed).items()},
            **{name: torch.from_numpy(value) for name, value in counts.items()}}


def _shown(problem: Problem, mode: PosteriorSamples) -> dict[str, Tensor]:
    """Some photos ("photos:") and their reconstructions, uint8 [P, h, w, 3]. mode: near that of their posteriors."""
    measured = uniform_randomisation(problem.grammar).sample(problem.seed_of("npe lines"), N_MEASURED)
    return {"photos:": torch.from_numpy(reduced(problem.images[mode.photo])),
            "reconstructions:": torch.from_numpy(reconstructions(problem, mode, measured))}


def trained(problem: Problem, state: State, of_objects: int, settings: Npe, regressor: Regressor, spec: ObjectSpec,
            network: ObjectNetwork | None, simulated: Simulations,
            held: NDArray[np.int64], maps_of_photos: FrozenMaps | None = None,
            ) -> tuple[Predictor, Predictions, dict[Key, float]]:
    """Networks trained on the round's renders but the held-out ones; predictions on photos; and R2 of each attribute
    on the held-out renders. of_objects: number of the round among those that predict objects, from 0; negative before.
    network: of objects, to be trained further.  maps_of_photos: the backbone's, if they were computed before."""
    rows = np.setdiff1d(np.arange(len(simulated)), held)
    whole = deepcopy(state.regressor)
    at_once = scenes_at_once(problem.size)
    chunks = (simulated.images[rows[first:first + at_once]] for first in range(0, len(rows), at_once))
    train(whole, training_images(whole, chunks, len(rows)), simulated.truth[rows],
          problem.seed_of("npe regressor", state.trainings), epochs_of(regressor.epochs, len(rows)))
    known = Known(simulated.scenes, simulated.truth[held].double().numpy(), simulated.objects.of(held))
    predictor = Predictor(spec, whole, None, histogram_for(problem.images))
    if network is None:
        r2 = r_squared(problem.targets, spec, predictor(simulated.images[held]), known,
                       simulated.part[held], None)
        return predictor, predictor(problem.images), r2
    if state.posterior is None:
        network.measure_scale(simulated.images[rows[:N_SCALE]])
    maps = None
    if spec.kinds:
        maps, once = frozen_maps(network, simulated.images), of_objects == 0
        train_objects(network, simulated, rows, settings.steps if once else settings.steps // 2,
                      problem.seed_of("npe objects", of_objects), FIRST_RATE if once else LATER_RATE, maps)
    predictor, photos, predicted = regressed(problem, replace(predictor, network=network), simulated, held, rows, maps,
                                             of_objects > 0, maps_of_photos)
    return predictor, photos, r_squared(problem.targets, spec, predicted, known, simulated.part[held], predictor.r2())


def fresh_network(problem: Problem, spec: ObjectSpec) -> ObjectNetwork:
    """Untrained."""
    outputs, seed = sum(target.width for target in problem.targets), problem.seed_of("object network")
    return ObjectNetwork(spec, outputs, seed, backbone_for(problem.size)).to(problem.device)


def photo_maps(problem: Problem, spec: ObjectSpec, simulated: int) -> FrozenMaps | None:
    """The pretrained backbone's maps of the photos, the same in each round; None where there is none, and where photos
    are so many that their maps would take more room than those of a round's renders."""
    if not spec.kinds or len(problem.images) > simulated:
        return None
    return frozen_maps(fresh_network(problem, spec), problem.images)
