"""Checkpoints of a ProbMask training: resumed after a kill, refused if of another training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from probmask_examples import QUICK, examples, network

from graphprune.errors import UserError
from graphprune.probmask.final import finish
from graphprune.probmask.trainer import train


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
