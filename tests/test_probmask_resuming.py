"""ProbMask goes on: after a kill, and from a looser sparsity to a tighter one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from probmask_examples import QUICK, examples, network

import graphprune
from graphprune.errors import UserError
from graphprune.methods import Result
from graphprune.methods.probmask import ProbMask
from graphprune.methods.series import run_series
from graphprune.probmask import schedule
from graphprune.probmask.final import finish
from graphprune.probmask.trainer import _Trainer, train

OPTIONS = {"epochs": 4, "batch_size": 20, "final_draws": 3, "continued": True}


def same(first: Result, second: Result) -> bool:
    return all(
        torch.equal(a[name], b[name])
        for a, b in ((first.scores, second.scores), (first.weights, second.weights))
        for name in a.keys() | b.keys()
    )


def test_goes_on_after_a_kill_with_the_same_mask(tmp_path: Path) -> None:
    x, y = examples()
    whole = train(network(), x, y, QUICK)
    file = tmp_path / "run.safetensors"

    def kill(row: dict[str, float]) -> None:
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(network(), x, y, QUICK, checkpoint=file, on_epoch=kill)
    epochs = []
    resumed = train(
        network(), x, y, QUICK, checkpoint=file, on_epoch=lambda row: epochs.append(row["epoch"])
    )
    assert epochs == [4, 5, 6]
    assert torch.equal(resumed.probabilities, whole.probabilities)
    assert torch.equal(resumed.weights, whole.weights)
    first, second = finish(whole, x, y), finish(resumed, x, y)
    assert all(torch.equal(first.masks[n], second.masks[n]) for n in first.masks)
    assert all(torch.equal(first.weights[n], second.weights[n]) for n in first.weights)
    # finished: run again, it trains no more
    again = train(network(), x, y, QUICK, checkpoint=file)
    assert torch.equal(again.probabilities, whole.probabilities)


def test_refuses_the_checkpoint_of_another_training(tmp_path: Path) -> None:
    x, y = examples()
    file = tmp_path / "run.safetensors"
    train(network(), x, y, replace(QUICK, epochs=1), checkpoint=file)
    with pytest.raises(UserError, match="epochs is 1 there, 2 here"):
        train(network(), x, y, replace(QUICK, epochs=2), checkpoint=file)
    with pytest.raises(UserError, match="examples is"):
        train(network(), x + 1, y, replace(QUICK, epochs=1), checkpoint=file)
    with pytest.raises(UserError, match="network is"):
        train(network(1), x, y, replace(QUICK, epochs=1), checkpoint=file)


def test_budget_falls_from_that_of_the_looser_training() -> None:
    x, y = examples()
    loose = train(network(), x, y, replace(QUICK, sparsity=0.6))
    start = loose.onward()
    settings = replace(QUICK, sparsity=0.9)
    trainer = _Trainer(network(), settings, 10, start)
    assert torch.equal(trainer.probabilities, loose.probabilities)
    assert torch.equal(trainer.weights, loose.weights)
    densities = []
    for step in range(40):
        trainer.step(x[:20], y[:20], step / 40)
        allowed = schedule.keep_rate(step / 40, 0.1, 0.16, 0.6, initial=0.4)
        densities.append(float(trainer.probabilities.double().mean()))
        assert densities[-1] <= allowed * (1 + 1e-6)
        assert densities[-1] <= 0.4 * (1 + 1e-6)
    assert densities[-1] == pytest.approx(0.1, rel=0.02)
    # the start is a copy
    assert torch.equal(start.probabilities["0.weight"].flatten(), loose.probabilities[:36])


def test_series_goes_from_loose_to_tight_whatever_the_order() -> None:
    x, y = examples()
    found = {}
    for sparsities in ([0.5, 0.8, 0.9], [0.9, 0.5, 0.8]):
        ran = list(run_series("probmask", OPTIONS, sparsities, network(), x, y))
        assert [sparsities[at] for at, _, _ in ran] == [0.5, 0.8, 0.9]
        assert [r.report["epochs_trained"] for _, r, _ in ran] == [4, 6, 8]
        densities = [r.report["density_expected"] for _, r, _ in ran]
        for density, sparsity in zip(densities, (0.5, 0.8, 0.9), strict=True):
            assert density <= (1 - sparsity) * (1 + 1e-6)
        assert [seconds for *_, seconds in ran] == sorted(seconds for *_, seconds in ran)
        found[sparsities[0]] = [result for _, result, _ in ran]
        for result, sparsity in zip(found[sparsities[0]], (0.5, 0.8, 0.9), strict=True):
            masks = graphprune.prune(result.scores, sparsity)
            assert sum(int(mask.sum()) for mask in masks.values()) == round((1 - sparsity) * 156)
    assert all(same(a, b) for a, b in zip(found[0.5], found[0.9], strict=True))
    by_hand = ProbMask(sparsity=0.5, **OPTIONS).run(network(), x, y)
    by_hand = ProbMask(sparsity=0.8, **OPTIONS).run_after(by_hand, network(), x, y)
    assert same(by_hand, found[0.5][1])
    alone = ProbMask(sparsity=0.8, **OPTIONS).run(network(), x, y)
    assert not same(alone, found[0.5][1])


def test_without_continuing_every_sparsity_stands_alone() -> None:
    x, y = examples()
    options = {**OPTIONS, "continued": False}
    ran = {at: r for at, r, _ in run_series("probmask", options, [0.9, 0.5], network(), x, y)}
    for at, sparsity in enumerate([0.9, 0.5]):
        assert same(ran[at], ProbMask(sparsity=sparsity, **options).run(network(), x, y))


def test_series_of_a_method_without_a_sparsity() -> None:
    ((at, result, _),) = run_series("magnitude", {}, [], network())
    assert at == 0
    assert torch.equal(result.scores["0.weight"], network()[0].weight.abs())


@pytest.mark.parametrize("at", [0, 1])
def test_series_goes_on_after_a_kill(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = examples()
    sparsities = [0.5, 0.8]
    files = [tmp_path / f"{sparsity}.safetensors" for sparsity in sparsities]
    whole = [r for _, r, _ in run_series("probmask", OPTIONS, sparsities, network(), x, y)]
    epochs: list[float] = []
    # four epochs of the first, two of the second
    stop = [2, 5][at]

    def log(row: dict[str, float]) -> None:
        epochs.append(row["epoch"])
        if len(epochs) == stop:
            raise KeyboardInterrupt

    monkeypatch.setattr("graphprune.methods.probmask._log", log)
    arguments = ("probmask", OPTIONS, sparsities, network(), x, y, files)
    with pytest.raises(KeyboardInterrupt):
        list(run_series(*arguments))
    resumed = [result for _, result, _ in run_series(*arguments)]
    assert epochs == [1, 2, 3, 4, 1, 2]
    assert all(same(a, b) for a, b in zip(resumed, whole, strict=True))


def test_series_starts_over_where_the_checkpoint_is_of_another_run(tmp_path: Path) -> None:
    x, y = examples()
    file = tmp_path / "run.safetensors"
    train(network(1), x, y, QUICK, checkpoint=file)
    ((_, result, _),) = run_series("probmask", OPTIONS, [0.8], network(), x, y, [file])
    assert same(result, ProbMask(sparsity=0.8, **OPTIONS).run(network(), x, y))


def test_checkpoint_knows_what_it_went_on_from(tmp_path: Path) -> None:
    x, y = examples()
    starts = [
        train(network(), x, y, replace(QUICK, sparsity=0.5, epochs=epochs)).onward()
        for epochs in (1, 2)
    ]
    file = tmp_path / "run.safetensors"
    train(network(), x, y, QUICK, checkpoint=file, start=starts[0])
    with pytest.raises(UserError, match="start is"):
        train(network(), x, y, QUICK, checkpoint=file, start=starts[1])
    with pytest.raises(UserError, match="start is"):
        train(network(), x, y, QUICK, checkpoint=file)


def test_refuses_to_go_on_to_a_looser_sparsity_or_another_network() -> None:
    x, y = examples()
    start = train(network(), x, y, replace(QUICK, epochs=1)).onward()
    with pytest.raises(UserError, match=r"sparsity is 0\.5, of the training it goes on from 0\.8"):
        train(network(), x, y, replace(QUICK, sparsity=0.5), start=start)
    with pytest.raises(UserError, match="another network"):
        train(
            torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 3)),
            x,
            y,
            replace(QUICK, sparsity=0.9),
            start=start,
        )
    with pytest.raises(UserError, match="only go on from a result of probmask"):
        ProbMask().run_after(Result({}, onward="else"), network(), x, y)
