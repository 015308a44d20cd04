"""The result of a fit: a learned distribution of scenes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from torch import Tensor, nn

from scenefit.files.tensors import CorruptFile, read_tensors, write_tensors
from scenefit.files.versions import other_python, versions
from scenefit.nets.aggregate_posterior import empty_aggregate_posterior
from scenefit.nets.graph_network import parameter_name
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.nets.structure_policy import StructurePolicy, decisions
from scenefit.scenes.arguments import check_argument, first_few
from scenefit.scenes.attributes import Attribute
from scenefit.scenes.grammar import Grammar, scene_indices
from scenefit.scenes.grammar.changes import grammar_changes, is_description
from scenefit.scenes.grammar.rules import rule_choice
from scenefit.scenes.grammar.values import whole_ends
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch

FORMAT = 1  # of model files; one of another format is refused
AGAIN = "save it again with model.save(path)"
N_NAMED = 6  # learned attributes in a model's text
MARGIN = 0.05  # of the bounds: a value is at a bound if it is closer than this
MIN_SHARE = 0.2  # of an attribute's values at a bound, for it to be reported


@dataclass(frozen=True, eq=False)
class Model:
    """A grammar's learned distribution. seed: of the fit; scenes sampled from the model have another seed.

    `save` keeps it in a file; it is not pickled.
    """

    distribution: SceneDistribution
    seed: int = 0

    def __post_init__(self) -> None:
        check_argument("Model(distribution)", "distribution", self.distribution,
                       isinstance(self.distribution, SceneDistribution),
                       "a SceneDistribution; scenefit.load(path, grammar) reads a model")

    @property
    def grammar(self) -> Grammar:
        return self.distribution.grammar

    @property
    def structure(self) -> StructurePolicy | None:
        """The policy that decides rules, counts and choices, if one was learned."""
        return self.distribution.structure

    def sample(self, indices: Any, seed: int | None = None) -> SceneBatch:
        """Scenes of the learned distribution: indices [S], or how many. A scene is the same in any batch.

        seed: another than the model's own.  ValueError unless indices are whole numbers >= 0.
        """
        seed, index = derive_seed(self.seed, "model") if seed is None else seed, scene_indices(indices)
        return self.distribution.sample(seed, index) if len(index) else self.grammar.sample(seed, index)

    def copy(self) -> "Model":
        """A copy that further learning does not change."""
        return Model(self.distribution.copy(), self.seed)

    def save(self, path: str | Path) -> None:
        """Write the model to a file, whole or not at all; `scenefit.load(path, grammar)` reads it.

        The file holds tensors and a description of the grammar, but no code: keep the grammar's source as well.
        ValueError for a folder.
        """
        check_argument("model.save(path)", "path", path, isinstance(path, str | Path),
                       "the name of a file, such as \"coins.safetensors\"")
        if Path(path).is_dir():
            raise ValueError(f"{path} is a folder; give the name of a file, such as {Path(path)}.safetensors")
        write_tensors(path, self.state(), {"model": FORMAT, "seed": int(self.seed), "versions": versions(),
                                           "grammar": self.grammar.describe()})

    def __repr__(self) -> str:
        return f"Model(learned: {first_few(self.grammar.learned_names, N_NAMED)}; seed {self.seed})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Model is not pickled, as the functions of its grammar often cannot be: write it with "
                        "model.save(path), and read it with scenefit.load(path, grammar)")

    def __copy__(self) -> "Model":
        return Model(self.distribution, self.seed)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Model":
        return self.copy()

    def state(self) -> dict[str, Tensor]:
        """All that `load_model` needs besides the grammar: tensors by name."""
        return {name: value.detach().clone() for name, value in self.distribution.state_dict().items()}


@dataclass(frozen=True, eq=False)
class PriorModel:
    """A grammar in a model's place: its prior is the baseline of what was learned."""

    grammar: Grammar
    seed: int = 0

    def sample(self, indices: Any, seed: int | None = None) -> SceneBatch:
        """As `Model.sample`, of the prior."""
        return self.grammar.sample(derive_seed(self.seed, "model") if seed is None else seed, indices)

    def state(self) -> dict[str, Tensor]:
        return {}


def read_model(path: str | Path, grammar: Grammar) -> Model:
    """The model that `Model.save` wrote. Nothing in the file is executed.

    ValueError where the grammar is another one, naming the differences; `CorruptFile`, a ValueError, for a file that is
    damaged or no model.
    """
    tensors, facts = read_tensors(path, AGAIN)
    if "model" not in facts:
        kind = "a detector, which scenefit.load_detector(path) reads" if "classes" in facts else "no model"
        raise CorruptFile(f"{path} is {kind}, and not what model.save(path) writes")
    if facts["model"] != FORMAT:
        raise CorruptFile(f"{path} was written by another version of scenefit (its format is {facts['model']!r}, and "
                          f"this version reads format {FORMAT}); {AGAIN}")
    seed, saved, made_with = (facts.get(name) for name in ("seed", "grammar", "versions"))
    if type(seed) is not int or not 0 <= seed < 2**64 or not isinstance(made_with, dict) or not is_description(saved):
        raise CorruptFile(f"{path} is damaged: its seed, grammar or versions are missing or of another kind; {AGAIN}")
    changed = grammar_changes(saved, grammar.describe())
    if changed:
        raise ValueError(f"the grammar is not the one that {path} was saved with. It differs in:\n  "
                         + "\n  ".join(changed) + f"\n{other_python(made_with)}undo the change, or fit again")
    try:
        return load_model(grammar, tensors, seed)
    except (ValueError, TypeError, RuntimeError) as error:
        raise CorruptFile(f"{path}: {error}; {AGAIN}") from error


def load_model(grammar: Grammar, state: Mapping[str, Tensor], seed: int) -> Model:
    """A model from `Model.state()`. ValueError if it does not fit the grammar or holds NaN."""
    distribution = with_parts_of(SceneDistribution(grammar), state)
    fill(distribution, state, "model")
    return Model(distribution, seed)


def with_parts_of(distribution: SceneDistribution, state: Mapping[str, Tensor]) -> SceneDistribution:
    """The same distribution, with an untrained policy, an empty posterior and unfitted densities where a saved state
    has those, so that `fill` can fill them."""
    grammar, out = distribution.grammar, distribution
    if decisions(grammar) and any(name.startswith("structure.") for name in state):
        out = out.with_structure(StructurePolicy(grammar))
    if "cloud.centre" in state and "cloud.error" in state:
        out = out.with_aggregate_posterior(empty_aggregate_posterior(grammar, len(state["cloud.centre"]),
                                                                     len(state["cloud.error"])))
    fitted = {name.split(".")[1] for name in state if name.startswith("conditional.")}
    rules = (rule_choice(grammar, kind) for kind in grammar.learned_heads)
    densities = {a: out.density(a) for a in (*grammar.learned, *rules) if parameter_name(*a.key) in fitted}
    return out.with_conditional(densities) if densities else out


def load_structure(grammar: Grammar, state: Mapping[str, Tensor]) -> StructurePolicy:
    """A policy from its `state_dict()`. ValueError if it does not fit the grammar or holds NaN."""
    structure = StructurePolicy(grammar)
    fill(structure, state, "structure")
    return structure


def fill(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Load a saved state into a network. ValueError, naming what it is of, if it does not fit or holds NaN."""
    wanted = network.state_dict()
    for name, value in wanted.items():
        if name not in state or state[name].shape != value.shape:
            raise ValueError(f"the saved {what} does not fit the grammar: {name} should be {list(value.shape)}, got "
                             f"{list(state[name].shape) if name in state else 'nothing'}")
        if not bool(state[name].isfinite().all()):
            raise ValueError(f"the saved {what} is damaged: {name} holds NaN or infinite numbers")
    extra = sorted(set(state) - set(wanted))
    if extra:
        raise ValueError(f"the saved {what} does not fit the grammar: it has {extra}")
    network.load_state_dict(dict(state))


def at_bounds(model: Model, scenes: SceneBatch) -> dict[tuple[str, str], str]:
    """Learned numbers of which many values lie at an end of their bounds: (kind, name) -> "low" or "high".

    More than a fifth of the values in scenes, and more than twice as many as in the prior.
    """
    found = {}
    units = model.grammar.normalised(scenes)
    prior = model.grammar.normalised(model.grammar.sample(scenes.seed, len(scenes)))
    for a in model.grammar.learned:
        if a.form in ("choice", "angle") or len(units[a.key]) == 0:
            continue
        margin = _margin(a)
        for side, now, before in (("low", units[a.key] < margin, prior[a.key] < margin),
                                  ("high", units[a.key] > 1 - margin, prior[a.key] > 1 - margin)):
            if now.mean() > max(MIN_SHARE, 2 * before.mean() if len(before) else 0.0):
                found[a.key] = side
    return found


def _margin(a: Attribute) -> float:
    """How close to an end a value counts as at the bound, in units of the bounds: of integers, the last one does."""
    if a.form != "integer" or a.conditional:
        return MARGIN
    low, high = whole_ends(a)
    return max(MARGIN, 0.75 / (high - low + 1))
