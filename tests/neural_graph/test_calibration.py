"""Calibration examples and the values of every layer."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from norm_and_dropout import exact_accuracy, network
from norm_and_dropout import examples as noise
from torch import nn

from graphprune import checkpoints, models
from graphprune.data import Split
from graphprune.errors import UserError
from graphprune.neural_graph import calibration
from graphprune.training import loop
from graphprune.training.settings import Settings


class FirstPixels(nn.Module):
    """Answers with the position of the largest of the first three pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3, bias=False)
        with torch.no_grad():
            self.fc.weight.copy_(torch.eye(3, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.flatten(1))


def split(answers: list[int], labels: list[int]) -> Split:
    images = torch.zeros(len(answers), 1, 2, 2)
    images.view(-1, 4)[torch.arange(len(answers)), answers] = 1.0
    return Split(images, torch.tensor(labels))


def test_first_correct_ones_of_each_class() -> None:
    examples = split(
        answers=[0, 1, 0, 2, 1, 2, 0, 1, 0, 2],
        labels=[0, 0, 0, 2, 1, 1, 0, 1, 2, 2],
    )
    model = FirstPixels()
    # correct: 0, 2, 3, 4, 6, 7, 9
    assert calibration.calibration_examples(model, examples, 1).tolist() == [0, 3, 4]
    for batch_size in (1, 3, 100):
        chosen = calibration.calibration_examples(model, examples, 2, batch_size)
        assert chosen.tolist() == [0, 2, 3, 4, 7, 9]
        assert chosen.dtype == torch.int64
    assert model.training


def test_too_few_correct_ones_are_an_error() -> None:
    examples = split(answers=[0, 1, 2, 0, 1], labels=[0, 1, 1, 0, 2])
    with pytest.raises(UserError) as caught:
        calibration.calibration_examples(FirstPixels(), examples, 2)
    assert str(caught.value) == (
        "calibration asks for 2 correctly classified examples of each class; "
        "class 1 has 1, class 2 has 0"
    )
    with pytest.raises(UserError) as caught:
        calibration.calibration_examples(FirstPixels(), examples, 3, correct=False)
    assert str(caught.value) == (
        "calibration asks for 3 examples of each class; class 0 has 2, class 1 has 2, class 2 has 1"
    )


def test_of_an_untrained_network_the_first_of_each_class_whatever_it_says() -> None:
    examples = split(answers=[1, 1, 0, 0, 2, 1, 0], labels=[0, 0, 2, 1, 1, 2, 1])
    for batch_size in (2, 100):
        chosen = calibration.calibration_examples(
            FirstPixels(), examples, 2, batch_size, correct=False
        )
        assert chosen.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_asked_in_evaluation_mode(seed: int, training: bool) -> None:
    """With norms and dropout what is right in training mode is another matter."""
    model, examples = network(seed), noise(60, seed)
    loop.train(model, examples, Settings(2, 8))
    model.train(training)
    model[1].train(not training)
    before = copy.deepcopy(model.state_dict())
    wanted = [[], [], []]
    for place, label in enumerate(examples.labels.tolist()):
        one = Split(examples.images[[place]], examples.labels[[place]])
        if exact_accuracy(model, one) and len(wanted[label]) < 4:
            wanted[label].append(place)
    chosen = calibration.calibration_examples(model, examples, 4, batch_size=7)
    assert chosen.tolist() == sorted(itertools.chain(*wanted))
    assert (model.training, model[1].training) == (training, not training)
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())


def test_at_least_one_is_asked_for() -> None:
    with pytest.raises(UserError, match="per_class is 0"):
        calibration.calibration_examples(FirstPixels(), split([0], [0]), 0)


def test_capture() -> None:
    model = models.build("lenet5", (1, 28, 28), 10)
    inputs = torch.rand(3, 1, 28, 28)
    found = calibration.capture(model, inputs)
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        "input": (3, 1, 28, 28),
        "relu1": (3, 6, 12, 12),
        "relu2": (3, 16, 4, 4),
        "relu3": (3, 120),
        "relu4": (3, 84),
        "fc3": (3, 10),
    }
    assert torch.equal(found["input"], inputs)
    with torch.no_grad():
        torch.testing.assert_close(found["relu1"], torch.relu(model.conv1(inputs)))
        torch.testing.assert_close(found["fc3"], model(inputs))
    assert (found["relu3"] >= 0).all()


def test_a_network_without_a_neural_graph_keeps_its_examples_and_the_log_says_why(
    tmp_path, caplog
) -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention, self.head = nn.MultiheadAttention(4, 2), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.attention(x, x, x)[0].mean(1))

    split = Split(torch.rand(5, 3, 4), torch.tensor([0, 1, 0, 1, 0]))
    calibration.save(tmp_path / "a", Attending(), split, torch.tensor([1, 2]))
    inputs, labels = calibration.read(tmp_path / "a")
    assert torch.equal(inputs, split.images[1:3])
    assert labels.tolist() == [1, 0]
    (record,) = caplog.records
    assert record.getMessage().startswith("no neural graph, so the examples are kept without")
    assert "\n" not in record.getMessage()


def test_saved_and_read(tmp_path) -> None:
    examples = split(answers=[0, 1, 0, 2, 1], labels=[0, 1, 1, 2, 1])
    model = FirstPixels()
    chosen = calibration.calibration_examples(model, examples, 1)
    path = tmp_path / "calibration.safetensors"
    calibration.save(path, model, examples, chosen)
    inputs, labels = calibration.read(path)
    assert torch.equal(inputs, examples.images[chosen])
    assert labels.tolist() == [0, 1, 2]
    tensors, _ = checkpoints.load(path, "calibration")
    assert set(tensors) == {"indices", "labels", "layer/input", "layer/fc"}
    assert tensors["indices"].tolist() == chosen.tolist() == [0, 1, 3]
    torch.testing.assert_close(tensors["layer/fc"], model(inputs))
    path.write_bytes(b"not this")
    with pytest.raises(UserError, match=r"calibration\.safetensors"):
        calibration.read(path)
