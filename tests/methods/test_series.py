"""One method at several sparsities: their order, and a series resumed after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from probmask_examples import QUICK, examples, network

import graphprune
from graphprune.methods import Result
from graphprune.methods.probmask import ProbMask
from graphprune.methods.series import run_series
from graphprune.probmask.trainer import train

OPTIONS = {"epochs": 4, "batch_size": 20, "final_draws": 3, "continued": True}


def same(first: Result, second: Result) -> bool:
    return all(
        torch.equal(a[name], b[name])
        for a, b in ((first.scores, second.scores), (first.weights, second.weights))
        for name in a.keys() | b.keys()
    )


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


class Drawing(graphprune.Method):
    """Importance from torch's own generator, as a plug-in may draw it."""

    name = "drawing"
    per_sparsity = True
    sparsity: float = 0.5

    def run(self, model, inputs=None, targets=None):
        weights = graphprune.prunable(model)
        return Result({name: torch.rand(weight.shape) for name, weight in weights.items()})


def test_what_a_method_draws_does_not_depend_on_what_ran_before(monkeypatch) -> None:
    monkeypatch.setattr("graphprune.methods.series.build", lambda *_, **__: Drawing())
    monkeypatch.setattr("graphprune.methods.series.method_class", lambda _: graphprune.Method)
    alone = [result for _, result, _ in run_series("drawing", {}, [0.8], network())]
    after = [result for _, result, _ in run_series("drawing", {}, [0.5, 0.8], network())]
    assert same(alone[0], after[1])
    other = [result for _, result, _ in run_series("drawing", {"seed": 1}, [0.8], network())]
    assert not same(alone[0], other[0])
