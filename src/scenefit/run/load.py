"""Loads a learned distribution: from a file that `Model.save` wrote, or from a run folder."""

from pathlib import Path

from scenefit.nets.model import Model, read_model
from scenefit.run.folder import check_grammar, fit_model, open_run
from scenefit.scenes.arguments import check_argument
from scenefit.scenes.grammar import Grammar

CALL = "load(path, grammar)"


def load(path: str | Path, grammar: Grammar) -> Model:
    """A learned distribution, as `fit` returned it. Nothing in the file or the folder is executed.

        model.save("coins.safetensors")
        model = scenefit.load("coins.safetensors", grammar)

    path: a file that `Model.save` wrote, or a run folder of `scenefit fit`.  grammar: the one it was fitted with.
    ValueError where the grammar is another one, naming the differences, where the file is missing, damaged or no model,
    or the fit in the run folder is not finished.
    """
    check_argument(CALL, "path", path, isinstance(path, str | Path),
                   "the name of a file that model.save(path) wrote, or of a run folder")
    check_argument(CALL, "grammar", grammar, isinstance(grammar, Grammar), "a scenefit.Grammar")
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path} does not exist; give a file that model.save(path) wrote, or a run folder")
    if path.is_file() and not (path.name == "model.safetensors" and (path.parent / "settings.json").exists()):
        return read_model(path, grammar)
    run = open_run(path if path.is_dir() else path.parent)
    check_grammar(run, grammar)
    return fit_model(run, grammar)
