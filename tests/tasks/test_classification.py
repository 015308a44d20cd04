"""Classification of whole images."""

import numpy as np
import pytest
import torch
from toys import bars, dot

from scenefit.data.photos import Photos
from scenefit.scenes.priors import Choice, Normal, Uniform
from scenefit.tasks import Classify, Task
from scenefit.tasks.classification import small_network

TASK = Classify(("lying", "standing"))


def frames(n: int, seed: int, x: object = None, sprite: object = None):
    grammar = dot(Uniform(5, 11) if x is None else x, Normal(8, 1), sprite=sprite or Choice([0, 1]))
    return bars()(grammar.sample(seed, n))


def test_it_learns_and_evaluates():
    train, test = frames(512, 0), frames(128, 1)
    network = TASK.train(train.images, train.label, 0)
    assert TASK.evaluate(network, test.images, test.label)["accuracy"] > 0.95
    assert TASK.logits(network, test.images).shape == (128, 2)
    wrong = np.where(test.label == "lying", "standing", "lying")
    assert TASK.evaluate(network, test.images, wrong)["accuracy"] < 0.05
    checked: Task = TASK  # fits the protocol
    assert callable(checked.influence)


def test_accuracy_is_the_share_classified_correctly():
    class Always(torch.nn.Module):
        def forward(self, images):
            return torch.tensor([[1.0, 0.0]]).expand(len(images), 2)

    images, labels = np.zeros((4, 8, 8, 3), np.uint8), ["lying", "standing", "lying", "lying"]
    assert TASK.evaluate(Always(), images, labels) == {"accuracy": 0.75}


def test_every_training_starts_from_the_same_fresh_weights():
    """A task network that was trained before would drift."""
    made = []

    def network(size, classes):
        made.append(small_network(size, classes))
        made.append({name: value.clone() for name, value in made[-1].state_dict().items()})
        return made[-2]

    task, data = Classify(("lying", "standing"), epochs=1, network=network), frames(64, 0)
    first = task.train(data.images, data.label, 5).state_dict()
    task.train(frames(64, 3).images, frames(64, 3).label, 5)
    again = task.train(data.images, data.label, 5).state_dict()
    assert made[0] is not made[2] and all(torch.equal(made[1][name], made[3][name]) for name in made[1])
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = task.train(data.images, data.label, 6).state_dict()
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_torchs_own_numbers_are_left_alone():
    state, data = torch.random.get_rng_state(), frames(64, 0)
    Classify(("lying", "standing"), epochs=1).train(data.images, data.label, 0)
    assert torch.equal(state, torch.random.get_rng_state())


def test_influence_is_the_alignment_of_the_last_layers_gradients():
    """Computed anew with autograd, image by image, for one epoch."""
    task, data, real = Classify(("lying", "standing"), epochs=1), frames(40, 0), frames(12, 1)
    credit, score = task.influence(data.images, data.label, real.images, real.label, 3)
    network = task.train(data.images, data.label, 3)

    def gradient(images: np.ndarray, labels: np.ndarray) -> torch.Tensor:
        network.zero_grad()
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        torch.nn.functional.cross_entropy(network(pixels), task.class_indices(labels)).backward()
        return torch.cat([network[-1].weight.grad.flatten(), network[-1].bias.grad])

    along = gradient(real.images, real.label).clone()
    expected = torch.stack([gradient(data.images[i:i + 1], data.label[i:i + 1]) @ along for i in range(40)])
    np.testing.assert_allclose(credit, expected / expected.std(), rtol=1e-3, atol=1e-3)
    assert score == task.evaluate(network, real.images, real.label)["accuracy"]


def test_mislabelled_images_have_less_influence():
    data, real = frames(256, 0), frames(40, 1)
    label = data.label.copy()
    label[:64] = np.where(label[:64] == "lying", "standing", "lying")
    credit, _ = TASK.influence(data.images, label, real.images, real.label, 0)
    assert credit.std() == pytest.approx(1, abs=0.01)
    for name in ("lying", "standing"):
        told, bad = label == name, np.arange(256) < 64
        assert credit[told & bad].mean() < credit[told & ~bad].mean() - 0.2


def test_a_label_that_is_no_class_is_named():
    with pytest.raises(ValueError, match=r"labels \['', 'cat'\] are not among the classes \['lying', 'standing'\]; an "
                                         r"image without a class needs a renderer that gives one \(Frame.label\)"):
        TASK.class_indices(["lying", "cat", ""])
    assert TASK.class_indices(np.array(["standing", "lying"])).tolist() == [1, 0]


def test_labels_are_class_names_of_renders_and_of_photos():
    data = frames(8, 0)
    photos = Photos(data.images, (), (), data.label)
    assert TASK.labels(data).tolist() == TASK.labels(photos).tolist() == data.label.tolist()
    with pytest.raises(ValueError, match=r"labels \['standing'\] are not among the classes \['lying'\]"):
        Classify(("lying",)).labels(data)


@pytest.mark.parametrize("size", [(8, 8), (9, 17), (28, 28)])
def test_the_small_network_takes_any_size(size):
    assert small_network(size, 3)(torch.zeros(2, 3, *size)).shape == (2, 3)
