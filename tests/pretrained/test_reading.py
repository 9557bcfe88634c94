"""Files of other programs: read without running them, and put into a network key by key."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from graphprune.errors import UserError
from graphprune.pretrained import reading

RAN: list[str] = []


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


class Noting:
    """Unpickling it runs a function of this module."""

    def __reduce__(self) -> object:
        return (RAN.append, ("ran",))


def taken(path: Path) -> dict[str, torch.Tensor]:
    """The state of a network of other weights after the file was put into it."""
    model = network()
    reading.fill(model, reading.read(path), path)
    return model.state_dict()


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(found[key], expected[key]) for key in expected
    )


def test_safetensors_are_taken(tmp_path: Path) -> None:
    weights = network().state_dict()
    save_file(weights, tmp_path / "a.safetensors")
    assert same(taken(tmp_path / "a.safetensors"), weights)


@settings(max_examples=20, deadline=None)
@given(
    prefix=st.lists(st.sampled_from(["module.", "_orig_mod."]), max_size=3),
    wrapper=st.sampled_from(["", "state_dict", "model", "model_state_dict"]),
    new_format=st.booleans(),
)
def test_wrappers_and_prefixes_are_understood(
    prefix: list[str], wrapper: str, new_format: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.pt"
    weights = network().state_dict()
    held: object = {"".join(prefix) + key: tensor for key, tensor in weights.items()}
    held = {wrapper: held, "epoch": 3, "best": 0.5} if wrapper else held
    torch.save(held, path, _use_new_zipfile_serialization=new_format)
    assert same(taken(path), weights)


def test_a_prefix_of_the_network_itself_stays(tmp_path: Path) -> None:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = network()

    model, other = Wrapped(), Wrapped()
    torch.save(model.state_dict(), tmp_path / "a.pt")
    reading.fill(other, reading.read(tmp_path / "a.pt"), "a.pt")
    assert same(other.state_dict(), model.state_dict())


def test_counters_of_batch_norm_may_be_missing_and_half_floats_are_widened(tmp_path: Path) -> None:
    weights = network().state_dict()
    old = {key: t.half() for key, t in weights.items() if not key.endswith("batches_tracked")}
    torch.save(old, tmp_path / "a.pt")
    found = taken(tmp_path / "a.pt")
    assert found["0.weight"].dtype == torch.float32
    assert torch.equal(found["0.weight"], weights["0.weight"].half().float())


CHANGES = {
    "lacks '2.bias'": lambda w: w.pop("2.bias"),
    "has 'head', which the network has not": lambda w: w.update(head=torch.ones(1)),
    "lacks '2.bias' and has 'head', which the network has not": lambda w: w.update(
        head=w.pop("2.bias")
    ),
    "has 'a0', 'a1', 'a2' and 2 more, which the network has not": lambda w: w.update(
        {f"a{place}": torch.ones(1) for place in range(5)}
    ),
    "'0.weight' has shape (4, 2); the network's is (4, 3)": lambda w: w.update(
        {"0.weight": torch.ones(4, 2)}
    ),
    "'0.weight' is int; expected a tensor": lambda w: w.update({"0.weight": 3}),
    "'0.weight' is torch.int64; the network's is torch.float32": lambda w: w.update(
        {"0.weight": torch.ones(4, 3, dtype=torch.int64)}
    ),
    "'0.weight' has values that are not finite": lambda w: w.update(
        {"0.weight": torch.full((4, 3), torch.nan)}
    ),
}


@pytest.mark.parametrize("sentence", CHANGES)
def test_what_does_not_fit_is_named(sentence: str, tmp_path: Path) -> None:
    weights = dict(network().state_dict())
    CHANGES[sentence](weights)
    path = tmp_path / "a.pt"
    torch.save(weights, path)
    with pytest.raises(UserError) as caught:
        taken(path)
    assert str(caught.value) == f"{path}: {sentence}"


@pytest.mark.parametrize("held", [Noting(), {"state_dict": {"0.weight": Noting()}}, network()])
def test_a_pickle_that_holds_code_never_runs(held: object, tmp_path: Path) -> None:
    torch.save(held, tmp_path / "a.pt")
    with pytest.raises(UserError, match="which is code and was not run; expected tensors") as said:
        reading.read(tmp_path / "a.pt")
    assert "\n" not in str(said.value)
    assert RAN == []


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04half", b"\x80\x04\x95"])
def test_a_damaged_file_is_one_line(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        reading.read(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("held", "sentence"),
    [
        ([torch.ones(1)], "holds list; expected a state dict, or one below one of the keys"),
        ({"model": {}, "state_dict": {}}, "has several networks, state_dict, model; save one"),
    ],
)
def test_what_is_no_single_network_is_named(held: object, sentence: str, tmp_path: Path) -> None:
    torch.save(held, tmp_path / "a.pt")
    with pytest.raises(UserError, match=sentence):
        reading.read(tmp_path / "a.pt")


def test_another_file_than_planned_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save(network().state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert reading.read(path, digest)
    torch.save(network().state_dict(), path)
    with pytest.raises(UserError, match=f"expected {digest}: it was changed since"):
        reading.read(path, digest)
    with pytest.raises(UserError, match="No such file"):
        reading.read(tmp_path / "b.pt", digest)
