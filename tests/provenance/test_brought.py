"""What decides a network that was taken over: its bytes, and how it sees images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphprune.configuration.complete import complete
from graphprune.pretrained import published
from graphprune.pretrained.published import Facts
from graphprune.provenance import brought
from graphprune.provenance.recipes import Recipes

DENSE = "out/digits/mlp/seed0/dense"
UNIT = "out/digits/mlp/seed0/finetune/magnitude/x2"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pt").write_bytes(b"one")
    (tmp_path / "b.pt").write_bytes(b"one")
    (tmp_path / "c.pt").write_bytes(b"another")
    return tmp_path


def recipes(checkpoint: str = "a.pt", train: int = 3, **keys: Any) -> Recipes:
    network = {"dataset": "digits", "model": "mlp", "checkpoint": checkpoint, **keys}
    config = {"results": "out", "networks": [network], "seeds": [0], "compressions": [2],
              "methods": {"magnitude": {}}, "train": {"epochs": train}}  # fmt: skip
    return Recipes(complete(config))


def digests(found: Recipes) -> dict[str, str]:
    paths = [f"{DENSE}/checkpoint.safetensors", f"{UNIT}/mask.safetensors",
             f"{UNIT}/finetuned.safetensors", f"{UNIT}/metrics.json"]  # fmt: skip
    made = {path: found.of(path) for path in paths}
    return {path: recipe.digest for path, recipe in made.items() if recipe}


def test_a_changed_file_is_another_recipe_of_all_that_was_made_from_it() -> None:
    before, after = digests(recipes()), digests(recipes("c.pt"))
    assert len(before) == 4
    assert all(before[path] != after[path] for path in before)


def test_how_it_sees_images_counts_and_names_of_classes_do_not() -> None:
    before = digests(recipes())
    scaled = digests(recipes(preprocess={"mean": [0.5], "std": [0.5]}))
    assert all(before[path] != scaled[path] for path in before)
    named = {"mean": [0.5], "std": [0.5], "classes": list("0123456789")}
    assert digests(recipes(preprocess=named)) == scaled


def test_its_path_and_the_settings_of_training_do_not_count() -> None:
    assert digests(recipes("b.pt")) == digests(recipes()) == digests(recipes(train=9))


def test_it_has_no_untrained_state() -> None:
    for name in ("initial", "initial_activations"):
        assert recipes().of(f"{DENSE}/{name}.safetensors") is None
    stage = recipes().of(f"{DENSE}/checkpoint.safetensors")
    assert stage is not None
    assert stage.stage == "take_over"


def test_published_weights_are_an_input(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"A": Facts("a-11111111.pth", 10, {}), "B": Facts("b-22222222.pth", 10, {})}
    for module in (published, brought):
        monkeypatch.setattr(module, "facts", lambda source: facts[source.name])
    found = recipes("weights:A")
    dense = found.of(f"{DENSE}/checkpoint.safetensors")
    fetched = found.of("out/weights/weights-A.safetensors")
    assert dense is not None
    assert fetched is not None
    assert dense.parents["weights"] == fetched
    assert fetched.about == {"weights": "weights:A"}
    assert found.of("out/weights/weights-B.safetensors") is None
    other = recipes("weights:B").of(f"{DENSE}/checkpoint.safetensors")
    assert other is not None
    assert other.digest != dense.digest
