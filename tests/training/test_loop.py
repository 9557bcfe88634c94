"""The training loop: what it learns, masks held, schedules, what it refuses."""

import math
import subprocess
import sys

import pytest
import torch
from torch import nn
from two_blobs import network

from graphprune.data import Split
from graphprune.errors import UserError
from graphprune.training import evaluation, loop


def test_learns_and_reports_each_epoch(blobs):
    model = network()
    rows = loop.train(model, blobs, loop.Settings(5, 16), validation=blobs)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[-1]["accuracy_validation"] > 0.97
    assert evaluation.accuracy(model, blobs) == rows[-1]["accuracy_validation"]
    assert not model.training


def test_a_seed_means_one_result(blobs):
    first, second = network(), network()
    for model in (first, second):
        loop.train(model, blobs, loop.Settings(2, 16, seed=3))
    other = network()
    loop.train(other, blobs, loop.Settings(2, 16, seed=4))
    assert torch.equal(first[1].weight, second[1].weight)
    assert not torch.equal(first[1].weight, other[1].weight)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_pruned_weights_are_exactly_zero_after_every_step(blobs, optimizer):
    model = network()
    mask = torch.rand(8, 2, generator=torch.Generator().manual_seed(1)) > 0.5
    held = []

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, images):
            held.append(bool((model[1].weight[~mask] == 0.0).all()))
            return self.inner(images)

    settings = loop.Settings(3, 16, optimizer=optimizer, weight_decay=0.01)
    loop.train(Watched(), blobs, settings, masks={"inner.1.weight": mask})
    assert len(held) >= 15
    assert all(held)
    assert (model[1].weight[~mask] == 0.0).all()
    assert (model[1].weight[mask] != 0.0).all()


def test_first_step_of_sgd_by_hand():
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
    with torch.no_grad():
        model[1].weight.zero_()
    one = Split(torch.full((1, 1, 1, 1), 2.0), torch.tensor([1]))
    settings = loop.Settings(1, 1, learning_rate=0.1, momentum=0.0, schedule="constant")
    rows = loop.train(model, one, settings)
    # softmax is (1/2, 1/2): gradient (p - y) x = (1, -1), step -0.1 times that
    assert model[1].weight.flatten().tolist() == pytest.approx([-0.1, 0.1])
    assert rows[0]["loss"] == pytest.approx(math.log(2))


def test_schedules():
    cosine = loop.Settings(10, learning_rate=1.0, schedule="cosine")
    assert loop.learning_rate(cosine, 0, 0.0) == 1.0
    assert loop.learning_rate(cosine, 5, 0.0) == pytest.approx(0.5)
    step = loop.Settings(4, learning_rate=1.0, schedule="step")
    rates = [loop.learning_rate(step, epoch, 0.0) for epoch in range(4)]
    assert rates == pytest.approx([1.0, 1.0, 0.1, 0.01])


def test_bad_settings_and_a_diverging_loss_are_refused(blobs):
    with pytest.raises(UserError, match="optimizer is 'rmsprop'; allowed: adam, sgd"):
        loop.Settings(1, optimizer="rmsprop")
    with pytest.raises(UserError, match=r"training option is 'lr'; allowed: .*batch_size"):
        loop.Settings.of({"lr": 0.1}, seed=0)
    with pytest.raises(UserError, match=r"loss is nan in epoch \d+, step \d+; lower learning_rate"):
        loop.train(network(), blobs, loop.Settings(50, 16, learning_rate=1e30))


@pytest.mark.parametrize(("passes", "place"), [(2, "epoch 1, step 2"), (5, "epoch 2, step 1")])
def test_a_loss_that_is_not_finite_is_named_by_its_step(blobs, passes, place):
    model = network()
    count = 0

    def spoil(*call):
        nonlocal count
        count += 1
        return call[-1] * (math.inf if count == passes else 1.0)

    model.register_forward_hook(spoil)
    with pytest.raises(UserError) as caught:
        loop.train(model, blobs, loop.Settings(3, 20, learning_rate=0.01))
    assert str(caught.value) == f"loss is nan in {place}; lower learning_rate (now 0.01)"


def test_settings_of_a_section_have_its_values_and_the_seed_given():
    section = {
        "epochs": 3, "batch_size": 5, "optimizer": "adam", "learning_rate": 0.3,
        "momentum": 0.1, "weight_decay": 0.2, "schedule": "step",
    }  # fmt: skip
    found = loop.Settings.of(section, seed=7)
    assert {name: getattr(found, name) for name in section} == section
    assert found.seed == 7
    with pytest.raises(UserError, match=r"training option is 'seed'; .*batch_size, epochs"):
        loop.Settings.of({**section, "seed": 1}, seed=7)


def test_training_does_not_import_the_compiler():
    code = (
        "import sys, torch; from graphprune.data import Split;"
        "from graphprune.training import loop;"
        "loop.train(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 2)),"
        "Split(torch.ones(2, 1, 1, 1), torch.tensor([0, 1])), loop.Settings(1));"
        "print('torch._dynamo' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
