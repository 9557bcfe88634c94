import math
import subprocess
import sys

import pytest
import torch
from torch import nn

import graphprune
from graphprune import evaluation, optimizers, training
from graphprune.data import Split
from graphprune.errors import UserError


@pytest.fixture
def blobs():
    """Two classes apart along one axis: 80 points in the plane."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(80) % 2
    images = torch.randn(80, 1, 1, 2, generator=generator)
    images[:, 0, 0, 0] += 6.0 * labels - 3.0
    return Split(images, labels)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))


def test_learns_and_reports_each_epoch(blobs):
    model = network()
    rows = training.train(model, blobs, training.Settings(5, 16), validation=blobs)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[-1]["accuracy_validation"] > 0.97
    assert evaluation.accuracy(model, blobs) == rows[-1]["accuracy_validation"]
    assert not model.training


def test_a_seed_means_one_result(blobs):
    first, second = network(), network()
    for model in (first, second):
        training.train(model, blobs, training.Settings(2, 16, seed=3))
    other = network()
    training.train(other, blobs, training.Settings(2, 16, seed=4))
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

    settings = training.Settings(3, 16, optimizer=optimizer, weight_decay=0.01)
    training.train(Watched(), blobs, settings, masks={"inner.1.weight": mask})
    assert len(held) >= 15
    assert all(held)
    assert (model[1].weight[~mask] == 0.0).all()
    assert (model[1].weight[mask] != 0.0).all()


def test_first_step_of_sgd_by_hand():
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
    with torch.no_grad():
        model[1].weight.zero_()
    one = Split(torch.full((1, 1, 1, 1), 2.0), torch.tensor([1]))
    settings = training.Settings(1, 1, learning_rate=0.1, momentum=0.0, schedule="constant")
    rows = training.train(model, one, settings)
    # softmax is (1/2, 1/2): gradient (p - y) x = (1, -1), step -0.1 times that
    assert model[1].weight.flatten().tolist() == pytest.approx([-0.1, 0.1])
    assert rows[0]["loss"] == pytest.approx(math.log(2))


def test_schedules():
    cosine = training.Settings(10, learning_rate=1.0, schedule="cosine")
    assert training.learning_rate(cosine, 0, 0.0) == 1.0
    assert training.learning_rate(cosine, 5, 0.0) == pytest.approx(0.5)
    step = training.Settings(4, learning_rate=1.0, schedule="step")
    rates = [training.learning_rate(step, epoch, 0.0) for epoch in range(4)]
    assert rates == pytest.approx([1.0, 1.0, 0.1, 0.01])


def test_bad_settings_and_a_diverging_loss_are_refused(blobs):
    with pytest.raises(UserError, match="optimizer is 'rmsprop'; allowed: adam, sgd"):
        training.Settings(1, optimizer="rmsprop")
    with pytest.raises(UserError, match="training option is 'lr'; allowed: batch_size"):
        training.Settings.of({"lr": 0.1}, seed=0)
    with pytest.raises(UserError, match=r"loss is nan in epoch \d+, step \d+; lower learning_rate"):
        training.train(network(), blobs, training.Settings(50, 16, learning_rate=1e30))


def test_costs_of_lenet_by_hand():
    model = nn.Sequential(
        nn.Conv2d(1, 6, 6, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 12 * 12, 10)
    )
    mask = torch.zeros(6, 1, 6, 6, dtype=torch.bool)
    mask[0] = True
    conv, linear = evaluation.costs(model, (1, 28, 28), {"0.weight": mask})
    assert (conv.params_total, conv.params_kept, conv.uses) == (216, 36, 144)
    assert (conv.flops_total, conv.flops_kept) == (2 * 216 * 144, 2 * 36 * 144)
    assert (linear.params_total, linear.uses, linear.density) == (8640, 1, 1.0)
    assert conv.density == pytest.approx(1 / 6)


def test_accuracy_counts_hits(blobs):
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.copy_(torch.tensor([1.0, 0.0]))
    assert evaluation.accuracy(model, blobs) == 0.5
    assert graphprune.__version__


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        (
            lambda p: optimizers.SGD(p, momentum=0.9, weight_decay=0.01),
            lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01),
        ),
        (
            lambda p: optimizers.Adam(p, weight_decay=0.01),
            lambda p: torch.optim.Adam(p, 0.1, weight_decay=0.01),
        ),
    ],
)
def test_optimizers_give_the_bits_of_torch(own, theirs):
    models = [network(), network()]
    first = own(models[0].parameters())
    second = theirs(models[1].parameters())
    generator = torch.Generator().manual_seed(0)
    for step in range(5):
        images = torch.randn(8, 1, 1, 2, generator=generator)
        for model in models:
            # the last layer has no gradient in the second step
            (model[:2] if step == 1 else model)(images).square().sum().backward()
        first.step(0.1)
        second.step()
        first.zero_grad()
        second.zero_grad()
    for mine, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(mine, other)


def test_training_does_not_import_the_compiler():
    code = (
        "import sys, torch; from graphprune import training; from graphprune.data import Split;"
        "training.train(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 2)),"
        "Split(torch.ones(2, 1, 1, 1), torch.tensor([0, 1])), training.Settings(1));"
        "print('torch._dynamo' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
