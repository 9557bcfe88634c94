"""The final masks and their network, and how decided the probabilities are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from probmask_examples import QUICK, examples, network
from torch import Tensor, nn
from torch.nn import functional

import graphprune
from graphprune.probmask import final as final_module
from graphprune.probmask import relaxation
from graphprune.probmask.final import decidedness, finish, recalibrate
from graphprune.probmask.trainer import Trained, train


def test_batch_norm_statistics_are_those_of_the_masked_network() -> None:
    x, y = examples()
    trained = train(network(), x, y, QUICK)
    final = finish(trained, x, y)
    model = network()
    model.load_state_dict(final.weights)
    graphprune.apply(model, final.masks)
    seen = model[0](x)
    torch.testing.assert_close(model[1].running_mean, seen.mean((0, 2, 3)))
    torch.testing.assert_close(model[1].running_var, seen.var((0, 2, 3)))
    assert all(
        torch.equal(m, graphprune.prune(final.scores, 0.8)[n]) for n, m in final.masks.items()
    )
    assert final.report["epochs_trained"] == QUICK.epochs


def test_report_of_how_decided_the_probabilities_are() -> None:
    found = decidedness(torch.tensor([0.0, 1.0, 0.5, 0.25]))
    by_hand = (1.0 + 0.25 * 2 + 0.75 * np.log2(4 / 3)) / 4
    assert found["entropy_mean"] == pytest.approx(by_hand)
    assert found["share_undecided"] == 0.5
    histogram = [found[f"probability_histogram_{i}"] for i in range(10)]
    assert histogram == pytest.approx([0.25, 0, 0.25, 0, 0, 0.25, 0, 0, 0, 0.25])
    found = decidedness(torch.tensor([0.01, 0.99, 0.011, 0.989], dtype=torch.float64))
    assert found["share_undecided"] == 0.5
    assert found["density_expected"] == pytest.approx(0.5)


@pytest.fixture(scope="module")
def trained() -> Trained:
    """Half way through its training: many probabilities are neither 0 nor 1."""
    x, y = examples()
    return train(network(), x, y, replace(QUICK, epochs=3))


def keep_exactly(kept: Tensor, s: Tensor, magnitude: Tensor, count: int) -> Tensor:
    """``kept`` without its weights of least s, or with others of the largest, until they fit."""
    inside, outside = kept.nonzero().flatten().tolist(), (~kept).nonzero().flatten().tolist()
    best_first = sorted(inside, key=lambda i: (-s[i], -magnitude[i]))
    others = sorted(outside, key=lambda i: (-s[i], -magnitude[i]))
    mask = torch.zeros(len(kept), dtype=torch.bool)
    mask[[*best_first, *others][:count]] = True
    return mask


@pytest.mark.parametrize("kind", ["topk", "draws"])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("verdicts", "best"),
    [
        # accuracy and loss of topk and of three draws
        ([(0.5, 1.0), (0.6, 1.0), (0.9, 9.0), (0.7, 0.1)], 1),
        ([(0.5, 1.0), (0.6, 0.3), (0.6, 0.2), (0.6, 0.4)], 1),
        ([(0.9, 1.0), (0.2, 0.3), (0.1, 0.2), (0.3, 0.4)], 2),
    ],
)
def test_the_best_of_the_draws_is_taken(
    trained: Trained,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    seed: int,
    verdicts: list[tuple[float, float]],
    best: int,
) -> None:
    x, y = examples()
    drawn: list[Tensor] = []
    left = iter(verdicts)
    plain = relaxation.hard

    def hard(probabilities: Tensor, generator: torch.Generator) -> Tensor:
        drawn.append(plain(probabilities, generator))
        return drawn[-1]

    monkeypatch.setattr(relaxation, "hard", hard)
    monkeypatch.setattr(final_module, "_measure", lambda *_: next(left))
    settings = replace(trained.settings, final=kind, seed=seed, final_draws=3)
    final = finish(replace(trained, settings=settings), x, y)
    assert len(drawn) == 3
    assert not torch.equal(drawn[0], drawn[1])
    generator = torch.Generator().manual_seed(seed)
    assert torch.equal(drawn[0], torch.rand(len(drawn[0]), generator=generator) <
                       trained.probabilities)  # fmt: skip

    s, magnitude = trained.probabilities.tolist(), trained.weights.abs().tolist()
    count = len(s) - round(0.8 * len(s))
    start = torch.zeros(len(s), dtype=torch.bool) if kind == "topk" else drawn[best]
    wanted = keep_exactly(start, s, magnitude, count)
    assert torch.equal(torch.cat([m.flatten() for m in final.masks.values()]), wanted)
    assert list(final.masks) == ["0.weight", "3.weight", "7.weight"]
    for name, mask in graphprune.prune(final.scores, 0.8).items():
        assert torch.equal(mask, final.masks[name])
        assert final.scores[name].dtype == torch.float64
        assert final.scores[name].shape == mask.shape
    drawn_accuracies = [accuracy for accuracy, _ in verdicts[1:]]
    assert final.report["accuracy_topk"] == verdicts[0][0]
    assert final.report["accuracy_draws"] == max(drawn_accuracies)
    assert final.report["accuracy_draws_mean"] == pytest.approx(sum(drawn_accuracies) / 3)


def by_hand(state: dict[str, Tensor], x: Tensor, batch: int) -> Tensor:
    """Outputs of `network` with the norm's statistics taken from each batch, dropout off."""
    outputs = []
    for part in x.split(batch):
        h = functional.conv2d(part, state["0.weight"], state["0.bias"], padding=1)
        mean, variance = h.mean((0, 2, 3), True), h.var((0, 2, 3), unbiased=False, keepdim=True)
        h = (h - mean) / (variance + 1e-5).sqrt()
        h = h * state["1.weight"].view(1, -1, 1, 1) + state["1.bias"].view(1, -1, 1, 1)
        h = functional.conv2d(h.relu(), state["3.weight"], state["3.bias"], stride=2, groups=2)
        outputs.append(h.relu().flatten(1) @ state["7.weight"].T + state["7.bias"])
    return torch.cat(outputs)


@pytest.mark.parametrize(("limit", "used"), [(0, 1203), (700, 700), (5000, 1203)])
def test_candidates_are_measured_in_batches_of_500_on_the_first_examples(
    trained: Trained, limit: int, used: int
) -> None:
    x, y = examples(1203)
    settings = replace(trained.settings, final_examples=limit, final_draws=1)
    final = finish(replace(trained, settings=settings), x, y)
    state = dict(final.weights)
    for name, mask in final.masks.items():
        state[name] = state[name] * mask
    right = by_hand(state, x[:used], 500).argmax(1) == y[:used]
    assert final.report["accuracy_topk"] == pytest.approx(float(right.float().mean()), abs=1e-6)


def test_equally_accurate_draws_are_told_apart_by_their_loss(trained: Trained) -> None:
    x, y = examples(1203)
    with torch.no_grad():
        accuracy, loss = final_module._measure(trained.binding, x, y)
    outputs = by_hand(trained.binding.model.state_dict(), x, 500)
    assert accuracy == pytest.approx(float((outputs.argmax(1) == y).float().mean()))
    assert loss == pytest.approx(float(functional.cross_entropy(outputs, y)), rel=1e-6)
    # the size of the batches counts
    whole = by_hand(trained.binding.model.state_dict(), x, 5000)
    assert loss != pytest.approx(float(functional.cross_entropy(whole, y)), rel=1e-5)


def test_the_network_keeps_its_trained_weights_and_tells_how_it_was_trained(
    trained: Trained,
) -> None:
    x, y = examples()
    final = finish(trained, x, y)
    flat = [final.weights[name].flatten() for name in final.masks]
    assert torch.equal(torch.cat(flat), trained.weights)
    assert list(final.weights) == list(network().state_dict())
    last = trained.history[-1]
    assert final.report["loss"] == last["loss"]
    assert final.report["accuracy_train"] == last["accuracy_train"]
    assert last["loss"] != trained.history[0]["loss"]
    assert final.report["epochs_trained"] == trained.epochs == 3
    assert final.report["density_expected"] == pytest.approx(
        float(trained.probabilities.double().mean())
    )
    # what is given away is a copy
    own = trained.binding.model.state_dict()
    for name, tensor in final.weights.items():
        assert tensor.data_ptr() != own[name].data_ptr()


def test_statistics_are_plain_averages_over_batches_of_500() -> None:
    x, _ = examples(1203)
    model = network().train()
    model[1].momentum = 0.3
    frozen = nn.BatchNorm2d(4, track_running_stats=False)
    model.insert(2, frozen)
    recalibrate(model, x)
    with torch.no_grad():
        parts = [model[0](part) for part in x.split(500)]
    means = torch.stack([part.mean((0, 2, 3)) for part in parts]).mean(0)
    variances = torch.stack([part.var((0, 2, 3)) for part in parts]).mean(0)
    torch.testing.assert_close(model[1].running_mean, means)
    torch.testing.assert_close(model[1].running_var, variances)
    assert model[1].momentum == 0.3
    assert int(model[1].num_batches_tracked) == 3
    assert not any(module.training for module in model.modules())


def test_a_network_without_norms_has_nothing_to_recalibrate() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(36, 3))
    passes: list[Tensor] = []
    model.register_forward_hook(lambda *call: passes.append(call[-1]))
    recalibrate(model, examples()[0])
    assert passes == []
