"""The scripts that fetch published weights and take a network over, without a workflow."""

from __future__ import annotations

import hashlib
import logging
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from graphprune import data
from graphprune.models import networks
from graphprune.pretrained import fetching
from graphprune.pretrained.published import Facts

IDENTITY = networks.Identity("digits", "mlp", (1, 8, 8), 10, seed=7)
SEEN = {"mean": [0.5], "std": [0.5], "classes": list("0123456789")}


class Files(dict):  # type: ignore[type-arg]
    """Named files, as Snakemake gives them."""

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def __getitem__(self, key: Any) -> Any:
        return list(self.values())[key] if isinstance(key, int) else super().__getitem__(key)


@pytest.fixture
def prepared(tmp_path: Path) -> str:
    data.save(tmp_path / "digits", data.load("digits"))
    return str(tmp_path / "digits")


def run(root: Path, name: str, tmp_path: Path, **facts: Any) -> None:
    given = SimpleNamespace(
        rule=name, threads=1, config={}, log=[str(tmp_path / "log")], resources={}, **facts
    )
    runpy.run_path(
        str(root / f"workflow/scripts/{name}.py"), {"snakemake": given}, run_name="__main__"
    )


@pytest.fixture(autouse=True)
def scripts(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(root / "workflow/scripts"))


def test_published_weights_are_fetched_and_taken_over(
    root: Path, tmp_path: Path, prepared: str, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    torch.save(IDENTITY.build().state_dict(), tmp_path / "any.pth")
    content = (tmp_path / "any.pth").read_bytes()
    served = tmp_path / f"mlp-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    served.write_bytes(content)
    monkeypatch.setattr(fetching, "facts", lambda _: Facts(served.name, 10, {}))
    monkeypatch.setattr(fetching, "address", lambda _: served.as_uri())
    fetched = str(tmp_path / "weights.safetensors")
    params = {"checkpoint": "weights:Tiny.V1", "folder": str(tmp_path / "data"), "download": True}
    run(root, "fetch", tmp_path, wildcards=["Tiny.V1"], input=Files(),
        output=Files(weights=fetched), params=SimpleNamespace(**params))  # fmt: skip
    assert (tmp_path / "data/weights" / served.name).read_bytes() == content
    outputs = {"checkpoint": tmp_path / "dense", "history": tmp_path / "history.csv"}
    params = {"device": "cpu", "network": {"model": "mlp", "options": {}}, "sha256": "",
              "checkpoint": "weights:Tiny.V1", "preprocess": SEEN, "published": "0.9 on digits",
              "remark": ""}  # fmt: skip
    with caplog.at_level(logging.INFO, "graphprune"):
        run(root, "take_over", tmp_path, wildcards=SimpleNamespace(network="mine", seed="3",
            __iter__=iter), input=Files(weights=fetched, data=prepared), output=Files(outputs),
            params=SimpleNamespace(**params))  # fmt: skip
    model, identity = networks.load(tmp_path / "dense")
    assert (identity.network, identity.seed) == ("mine", 3)
    # the names of the classes were compared, and decide nothing more
    assert identity.preprocess == {"mean": [0.5], "std": [0.5]}
    # those of the source's seed, not of this run's
    expected = IDENTITY.build().state_dict()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in model.state_dict().items())
    test = data.load("digits").test
    with torch.no_grad():
        right = model((test.images - 0.5) / 0.5).argmax(1) == test.labels
    accuracy = int(right.sum()) / len(test)
    assert f"weights:Tiny.V1: accuracy {accuracy:.6f} on the 359 test images of digits; " \
        "published: 0.9 on digits" in caplog.messages  # fmt: skip
