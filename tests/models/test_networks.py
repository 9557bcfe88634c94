"""What a checkpoint says of its network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphprune import checkpoints
from graphprune.errors import UserError
from graphprune.models import networks

PLAIN = networks.Identity("digits", "mlp", (1, 8, 8), 10, 0)
SEEING = networks.Identity("digits", "mlp", (1, 8, 8), 10, 0, preprocess={"mean": [0.5]})


def said(path: Path, identity: networks.Identity) -> dict[str, object]:
    networks.save(path, PLAIN.build().state_dict(), identity)
    found: dict[str, object] = json.loads(checkpoints.metadata(path, networks.KIND)["network"])
    return found


def test_only_a_network_that_sees_images_otherwise_says_how(tmp_path: Path) -> None:
    # the header of other checkpoints, and so their bytes, are what they were before
    assert said(tmp_path / "a", PLAIN) == {
        "dataset": "digits", "model": "mlp", "input_shape": [1, 8, 8], "num_classes": 10,
        "seed": 0, "network": "mlp", "options": {},
    }  # fmt: skip
    assert said(tmp_path / "b", SEEING)["preprocess"] == {"mean": [0.5]}
    assert networks.identity_of(tmp_path / "a") == PLAIN
    assert networks.identity_of(tmp_path / "b") == SEEING


def test_how_it_sees_images_is_no_text(tmp_path: Path) -> None:
    tensors, network = (
        PLAIN.build().state_dict(),
        {**said(tmp_path / "a", PLAIN), "preprocess": "x"},
    )
    checkpoints.save(tmp_path / "b", tensors, networks.KIND, {"network": json.dumps(network)})
    with pytest.raises(UserError, match="does not say which network it holds"):
        networks.identity_of(tmp_path / "b")
