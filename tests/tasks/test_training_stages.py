"""The stages of a detector's training: what is told of each step, and what is kept of them."""

from dataclasses import replace
from itertools import accumulate

import numpy as np
import pytest
import torch
from checks import same_weights
from toys import COLOURS, coloured_boxes

from scenefit.data.boxes import make_boxes
from scenefit.data.photos import Photos
from scenefit.files.atomic import content_hash
from scenefit.files.tensors import CorruptFile, write_tensors
from scenefit.nets.augmentation import NO_CHANGE
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.tasks import Detect
from scenefit.tasks.training_data import hold_out
from scenefit.tasks.training_stages import TrainingData, read_stage, stages, train_stages

TASK = Detect(COLOURS, steps=4, batch=2, augmented_copies=1, augment=NO_CHANGE, backbone=SmallMaps)
RENDERED, LABELLED, PHOTOS = coloured_boxes(4, 0), coloured_boxes(3, 1), coloured_boxes(5, 2)[0]
DATA = TrainingData(RENDERED, PHOTOS, LABELLED)
TEXTS = ["training on 4 renders", "self-training round 1 of 2", "self-training round 2 of 2",
         "fine-tuning on 3 labelled photos"]


def train(folder, data=DATA, task=TASK, seed=0):
    """All progress of a training whose stages are kept in a folder."""
    return list(train_stages(task, data, seed, lambda identity: folder / identity))


def test_each_step_is_told_with_its_stage_and_the_mean_of_the_last_losses(tmp_path, monkeypatch):
    losses, own = [], Detect._mean_loss
    monkeypatch.setattr("scenefit.tasks.training.dense_prediction.LOSS_STEPS", 3)
    monkeypatch.setattr(Detect, "_mean_loss", lambda *given: losses.append(own(*given)) or losses[-1])
    told = train(tmp_path)
    lengths = [4, 2, 2, 2]
    assert [(one.text, one.step, one.steps) for one in told] == [
        (text, step, length) for text, length in zip(TEXTS, lengths, strict=True) for step in range(length + 1)]
    assert [one.done for one in told] == list(accumulate(int(one.step > 0) for one in told))
    assert {one.of for one in told} == {10} and told[0].network is None and told[1].network is not None
    values = iter([float(value.detach()) for value in losses])
    for length in lengths:
        of_stage = [next(values) for _ in range(length)]
        assert np.isnan(told.pop(0).loss)
        for step in range(1, length + 1):
            assert told.pop(0).loss == pytest.approx(np.mean(of_stage[max(step - 3, 0):step]), rel=1e-5)


def test_the_pseudo_labels_of_a_round_are_told_at_its_end(tmp_path, monkeypatch):
    found = iter([make_boxes(5, [0, 0, 3], [[1, 2, 9, 9]] * 3, ["red", "red", "blue"], [0.5, 0.49, 0.9]),
                  make_boxes(5, [4], [[1, 2, 9, 9]], ["red"], [0.8])])
    monkeypatch.setattr(Detect, "predict", lambda self, network, images: next(found))
    told = [(one.text, one.step, one.pseudo_labels.name.tolist(), one.pseudo_labels.image.tolist())
            for one in train(tmp_path) if one.pseudo_labels is not None]
    assert told == [(TEXTS[1], 2, ["red", "blue"], [0, 3]), (TEXTS[2], 2, ["red"], [4])]


def test_a_training_that_begins_with_stages_that_are_kept_goes_on_after_them_to_the_same_network(tmp_path):
    """Other photos share the training on renders, other labelled photos the self-training too."""
    other = replace(DATA, photos=PHOTOS[1:])
    assert not train(tmp_path / "kept", replace(DATA, photos=None, labelled=None))[0].stored
    for text, data in ((TEXTS[0], other), (TEXTS[2], replace(other, labelled=coloured_boxes(3, 5))), (TEXTS[0], DATA)):
        first, *_, last = train(tmp_path / "kept", data)
        assert same_weights(last.network, train(tmp_path / text / str(len(data.photos)), data)[-1].network)
        assert first.stored and first.text == text and first.step == first.steps
        assert first.done == (4 if text == TEXTS[0] else 8)
    identities = {stage.identity for data in (DATA, other) for stage in stages(TASK, data, 0)[:3]}
    assert {path.name for path in (tmp_path / "kept").iterdir()} == identities, "fine-tuning leads nowhere"


def test_what_decides_the_first_stage_is_in_its_identity():
    images, labels = RENDERED
    moved = replace(labels, box=labels.box + 1)
    others = [stages(replace(TASK, learning_rate=1e-3), DATA, 0), stages(TASK, DATA, 1),
              stages(TASK, replace(DATA, rendered=(images[:, ::-1].copy(), labels)), 0),
              stages(TASK, replace(DATA, rendered=(images, moved)), 0)]
    assert len({found[0].identity for found in (stages(TASK, DATA, 0), *others)}) == 5
    assert stages(TASK, replace(DATA, photos=None, labelled=None), 0)[0] == stages(TASK, DATA, 0)[0]
    assert len({stage.identity for found in (stages(TASK, DATA, 0), *others) for stage in found}) == 20


def test_a_file_that_is_no_stage_is_refused(tmp_path):
    """A pickle is not opened; weights of another network with the right checksum are not used."""
    path = tmp_path / "zq7"
    assert read_stage(path, TASK, "a") is None
    torch.save(TASK.fresh(0).state_dict(), path)
    with pytest.raises(CorruptFile, match=r"zq7 is damaged: .*; delete it: the training begins anew"):
        read_stage(path, TASK, "a")
    write_tensors(path, {"x": torch.zeros(1)}, {"identity": "a"})
    with pytest.raises(CorruptFile, match="zq7 is damaged: its weights are not of this network; delete it"):
        read_stage(path, TASK, "a")
    assert read_stage(path, TASK, "b") is None


@pytest.mark.parametrize(("count", "held"), [(1, 1), (4, 4), (5, 1), (9, 2), (20, 4)])
def test_a_fifth_of_labelled_photos_is_held_out_and_copies_are_not_torn_apart(count, held):
    images, boxes = coloured_boxes(count, 0)
    photos = Photos(np.concatenate([images, images]), boxes=boxes.take([*range(count)] * 2))
    learn, other = hold_out(photos, 0)
    assert len(other) == 2 * held and len(learn) == (2 * count if count < 5 else 2 * (count - held))
    assert len(other.boxes) and other.boxes.count == 2 * held
    names = [{content_hash(image) for image in part.images} for part in (learn, other)]
    assert not names[0] & names[1] or count < 5
    assert count < 9 or any(len({content_hash(image) for image in hold_out(photos, seed)[1].images} - names[1])
                            for seed in range(1, 5)), "another seed holds out others"
