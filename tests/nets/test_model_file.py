"""Models in files: what comes back, what is refused and why, and that nothing is pickled."""

import copy
import pickle

import pytest
import torch
from toys import randomise, same_scenes

import scenefit as sf
from scenefit.files.tensors import CorruptFile, read_tensors, write_tensors
from scenefit.nets.scene_distribution import SceneDistribution


@pytest.fixture
def model(street) -> sf.Model:
    distribution = SceneDistribution(street)
    randomise(distribution, 0.05)
    return sf.Model(distribution, 7)


@pytest.fixture
def path(model, tmp_path):
    model.save(tmp_path / "zq7.safetensors")
    return tmp_path / "zq7.safetensors"


def test_a_saved_model_is_the_same_model(model, path, street):
    again = sf.load(str(path), street)
    assert same_scenes(again.sample(100), model.sample(100)) and again.seed == 7 and again.grammar is street
    before = path.read_bytes()
    again.save(path)
    assert path.read_bytes() == before and [one.name for one in path.parent.iterdir()] == [path.name]


def test_another_grammar_is_refused_with_what_differs(path, coins, street):
    wider = sf.Grammar(street.start, {**street.symbols, "verge": {"offset": sf.Uniform(20, 31)}}, street.rules)
    with pytest.raises(ValueError) as caught:
        sf.load(path, wider)
    assert str(caught.value) == (
        f"the grammar is not the one that {path} was saved with. It differs in:\n  verge.offset: "
        "Uniform(low=20, high=30) -> Uniform(low=20, high=31)\nundo the change, or fit again")
    with pytest.raises(ValueError, match=r"differs in:\n  start: road -> table\n"):
        sf.load(path, coins)
    tensors, facts = read_tensors(path, "")
    write_tensors(path, tensors, {**facts, "versions": {"python": "3.9.1"}})
    with pytest.raises(ValueError, match=r"made with Python 3\.9\.1 .* the Python version may be the only difference"):
        sf.load(path, wider)


@pytest.mark.parametrize("change, text", [
    ({"model": 2}, r"was written by another version of scenefit \(its format is 2, and this version reads format 1\); "
                   r"save it again with model.save\(path\)"),
    ({"model": None, "classes": ["a"]}, r"is a detector, which scenefit.load_detector\(path\) reads, and not what"),
    ({"model": None}, r"is no model, and not what model.save\(path\) writes"),
    ({"seed": "7"}, "its seed, grammar or versions are missing or of another kind; save it again"),
    *[(change, "its seed, grammar or versions") for change in (
        {"seed": -1}, {"seed": 2**64}, {"seed": True}, {"grammar": ["road"]}, {"versions": None},
        {"grammar": {"symbols": {"road": 1}, "rules": []}}, {"grammar": {"symbols": {}, "rules": 1}})]])
def test_files_with_other_facts_are_refused(path, street, change, text):
    tensors, facts = read_tensors(path, "")
    write_tensors(path, tensors, {name: value for name, value in {**facts, **change}.items() if value is not None})
    with pytest.raises(CorruptFile, match=text) as caught:
        sf.load(path, street)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("change", [
    {"curves.road/width": torch.zeros(3)}, {"curves.road/width": torch.full((19,), float("nan"))},
    {"cloud.centre": torch.tensor(1.0), "cloud.error": torch.tensor(1.0)}, {"zq7": torch.zeros(1)}])
def test_files_with_other_tensors_are_refused(path, street, change):
    tensors, facts = read_tensors(path, "")
    write_tensors(path, {**tensors, **change}, facts)
    with pytest.raises(CorruptFile, match=r"zq7.safetensors: .*; save it again with model.save\(path\)"):
        sf.load(path, street)


def test_damaged_files_are_refused_and_pickles_are_not_opened(path, street, tmp_path):
    path.write_bytes(path.read_bytes()[:-9])
    torch.save({"zq7": torch.zeros(1)}, tmp_path / "zq8.pt")
    for file in (path, tmp_path / "zq8.pt"):
        with pytest.raises(CorruptFile, match=f"{file.name} is damaged: it is truncated, or no file of scenefit"):
            sf.load(file, street)


def test_arguments_of_save_and_load(model, street, tmp_path):
    for call, text in ((lambda: sf.load(street, "zq7"), "load(path, grammar): path needs the name of a file that "
                                                        "model.save(path) wrote, or of a run folder; got a value of"),
                       (lambda: sf.load("zq7", model), "load(path, grammar): grammar needs a scenefit.Grammar; got a "
                                                       "value of type Model"),
                       (lambda: sf.load("zq7", street), "zq7 does not exist; give a file that model.save(path) wrote, "
                                                        "or a run folder"),
                       (lambda: model.save(street), 'path needs the name of a file, such as "coins.safetensors"; got'),
                       (lambda: model.save(tmp_path), f"{tmp_path} is a folder; give the name of a file, such as "
                                                      f"{tmp_path}.safetensors")):
        with pytest.raises(ValueError) as caught:
            call()
        assert text in str(caught.value)


def test_a_model_is_not_pickled_but_copied(model, tmp_path):
    with pytest.raises(TypeError, match=r"a Model is not pickled, .*: write it with model.save\(path\), and read it "
                                        r"with scenefit.load\(path, grammar\)"):
        pickle.dumps(model)
    with pytest.raises(TypeError, match=r"model.save\(path\)"):
        torch.save(model, tmp_path / "zq7.pt")
    before = model.sample(20)
    deep, shallow = copy.deepcopy(model), copy.copy(model)
    randomise(model.distribution, 0.3, seed=9)
    assert same_scenes(deep.sample(20), before) and not same_scenes(shallow.sample(20), before)


def test_a_model_is_printed_in_a_line(model, coins):
    assert repr(model) == ("Model(learned: road.width, lane.offset, lane.n_car, car.side, car.yaw, car.doors and 2 "
                           "more; seed 7)")
    assert repr(sf.Model(SceneDistribution(coins))) == "Model(learned: table.shade, table.n_coin, coin.x; seed 0)"
    assert {name for name in dir(model) if not name.startswith("_")} == {
        "copy", "distribution", "grammar", "sample", "save", "seed", "state", "structure"}
