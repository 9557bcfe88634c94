"""Published weights: fetched once from an address, and compared with the digest in their name."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from graphprune import checkpoints
from graphprune.errors import UserError
from graphprune.pretrained import fetching
from graphprune.pretrained.published import Facts
from graphprune.pretrained.source import Source

SOURCE = Source("torchvision", "Tiny_Weights.V1")


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The published file, at an address on this machine; its name holds its digest."""
    torch.save(nn.Linear(3, 2).state_dict(), tmp_path / "any.pth")
    content = (tmp_path / "any.pth").read_bytes()
    name = f"tiny-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    file = tmp_path / "server" / name
    file.parent.mkdir()
    file.write_bytes(content)
    monkeypatch.setattr(fetching, "facts", lambda _: Facts(name, 2, {}))
    monkeypatch.setattr(fetching, "address", lambda _: file.as_uri())
    return file


def test_it_is_fetched_once_and_kept(served: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "weights"
    found = fetching.fetch(SOURCE, folder)
    expected = torch.load(served, weights_only=True)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    served.unlink()
    assert fetching.fetch(SOURCE, folder, download=False).keys() == expected.keys()
    fetching.save(tmp_path / "a.safetensors", found, SOURCE, {"recipe": "any"})
    kept, about = checkpoints.load(tmp_path / "a.safetensors", fetching.KIND)
    assert kept.keys() == expected.keys()
    assert about == {"source": "weights:Tiny_Weights.V1"}


def test_another_file_at_the_address_is_refused_and_not_kept(served: Path, tmp_path: Path) -> None:
    served.write_bytes(served.read_bytes() + b"x")
    folder = tmp_path / "weights"
    with pytest.raises(UserError, match=r"could not be downloaded \(invalid hash value"):
        fetching.fetch(SOURCE, folder)
    assert list(folder.iterdir()) == []


def test_another_file_in_the_folder_is_named(served: Path, tmp_path: Path) -> None:
    (tmp_path / served.name).write_bytes(b"page of a login")
    with pytest.raises(UserError, match=f"{served.name}: is not the published file, whose SHA"):
        fetching.fetch(SOURCE, tmp_path)


def test_without_a_network_the_file_to_put_is_named(served: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{served.name}: no such file; put it there, or allow"):
        fetching.fetch(SOURCE, tmp_path / "weights", download=False)
    served.unlink()
    with pytest.raises(UserError, match=f"{served.name}: could not be downloaded .*; put it there"):
        fetching.fetch(SOURCE, tmp_path / "weights")


def test_torchvision_with_other_weights_of_this_name_is_refused(
    served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "address", lambda _: "file:///new-12345678.pth")
    with pytest.raises(UserError, match=f"publishes another file than {served.name}"):
        fetching.fetch(SOURCE, tmp_path / "weights")


def test_the_address_is_torchvision_s() -> None:
    source = Source.of("weights:ResNet18_Weights.IMAGENET1K_V1")
    assert fetching.address(source).endswith("/resnet18-f37072fd.pth")


def test_timm_fetches_into_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def create_model(name: str, **options: object) -> nn.Module:
        asked.append((name, options))
        if name == "gone":
            raise RuntimeError("no\nnetwork")
        return nn.Linear(3, 2)

    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=create_model))
    assert fetching.fetch(Source("timm", "net.a1"), tmp_path).keys() == {"weight", "bias"}
    assert asked == [("net.a1", {"pretrained": True, "cache_dir": str(tmp_path / "timm")})]
    with pytest.raises(UserError, match=r"timm:gone could not be fetched \(no network\)"):
        fetching.fetch(Source("timm", "gone"), tmp_path)
