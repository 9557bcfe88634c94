"""Networks on disk: a checkpoint that says how to build the network it belongs to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune import checkpoints
from graphprune.errors import UserError, shown
from graphprune.layout import path_label
from graphprune.models import pruned
from graphprune.randomness import seed_of

if TYPE_CHECKING:
    from torch import Tensor, nn

KIND = "checkpoint"


@dataclass(frozen=True)
class Identity:
    """Which network a checkpoint holds.

    input_shape: of one example, (channels, height, width).
    seed: that of the run, from which the seeds of the initialisation, the order of the examples
        and so on are derived (`graphprune.randomness`).
    network: its name in the configuration; where none was given the model's, as in paths.
    options: of the model's builder.
    preprocess: how the network sees the images, where it does not see them as the dataset has them
        (fields of `graphprune.data.preprocess.Preprocess`).
    """

    dataset: str
    model: str
    input_shape: tuple[int, ...]
    num_classes: int
    seed: int
    network: str = ""
    options: dict[str, object] = field(default_factory=dict)
    preprocess: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.network:
            object.__setattr__(self, "network", path_label(self.model))

    @property
    def of(self) -> str:
        """For whom seeds are derived: all networks of this name, on this dataset."""
        return f"{self.dataset}/{self.network}"

    def build(self) -> nn.Module:
        """The network with its random initial weights."""
        from graphprune.models import build

        seed = seed_of(self.seed, "initial", self.of)
        return build(self.model, self.input_shape, self.num_classes, seed=seed, **self.options)


def save(
    path: str | Path,
    weights: Mapping[str, Tensor],
    identity: Identity,
    made: Mapping[str, object] | None = None,
    mask: str | Path | None = None,
) -> None:
    """Write the state dict ``weights`` of the network ``identity``, atomically.

    mask: file of the masks that the weights were trained under. Of a masked weight only the kept
    values are stored; `load` finds the masks again in a file of this name beside ``path``.

    Raises UserError, naming ``path``, where a weight outside its mask is not 0, or a kept one is
    not finite.
    """
    said = {key: value for key, value in asdict(identity).items() if key != "preprocess" or value}
    metadata = {"network": json.dumps(said)}
    if mask is not None:
        masks = pruned.read(mask)
        try:
            pruned.check_zeros(weights, masks)
            weights, aliases = pruned.compress(weights, masks)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        metadata |= {"mask": checkpoints.header(mask, pruned.KIND)["content"]}
        metadata |= {"aliases": json.dumps(aliases)}
    checkpoints.save(path, weights, KIND, metadata, made)


def identity_of(path: str | Path) -> Identity:
    """The identity in a checkpoint written by ``save``, from its header alone.

    Raises UserError, naming a file that is no checkpoint.
    """
    return _identity(path, checkpoints.metadata(path, KIND))


def load(path: str | Path) -> tuple[nn.Module, Identity]:
    """The network in a checkpoint written by ``save``, in evaluation mode, and its identity.

    A fine-tuned network needs the file of its masks beside it.

    Raises UserError, naming the file, if it is missing, damaged, or another network's, and if the
    masks beside it are not those that it was trained under.

    >>> model, identity = load("results/digits/mlp/seed0/dense/checkpoint.safetensors")
    """
    tensors, metadata = checkpoints.load(path, KIND)
    identity = _identity(path, metadata)
    if "mask" in metadata:
        masks = pruned.read_beside(path, metadata["mask"])
        tensors = pruned.expand(path, tensors, masks, _aliases(path, metadata))
    try:
        model = identity.build()
    except (UserError, RuntimeError, MemoryError) as error:
        raise UserError(f"{path}: its network cannot be built ({shown(error, 200)})") from error
    checkpoints.fill(model, tensors, path)
    return model.eval(), identity


def load_pruned(start: str | Path, mask: str | Path) -> tuple[nn.Module, Identity]:
    """The network in the checkpoint ``start`` after pruning by the file ``mask``, not yet tuned.

    Where the method has trained the network itself, its weights are in the file of the masks.

    Raises UserError as `load` does, and where the masks do not fit the network.
    """
    model, identity = load(start)
    pruned.apply_file(model, mask)
    return model, identity


def _identity(path: str | Path, metadata: Mapping[str, str]) -> Identity:
    try:
        stored = json.loads(metadata["network"])
        identity = Identity(**{**stored, "input_shape": tuple(stored["input_shape"])})
        if not _is_plausible(identity):
            raise ValueError(stored)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: does not say which network it holds; expected a checkpoint of graphprune"
        ) from error
    return identity


def _is_plausible(identity: Identity) -> bool:
    """Whether all fields are of their types."""
    texts = (identity.dataset, identity.model, identity.network)
    counts = (*identity.input_shape, identity.num_classes)
    return (
        all(isinstance(text, str) for text in texts)
        and all(type(count) is int and count > 0 for count in counts)
        and type(identity.seed) is int
        and isinstance(identity.options, dict)
        and isinstance(identity.preprocess, dict)
    )


def _aliases(path: str | Path, metadata: Mapping[str, str]) -> dict[str, str]:
    try:
        aliases = json.loads(metadata["aliases"])
        if not isinstance(aliases, dict) or not all(isinstance(a, str) for a in aliases.values()):
            raise ValueError(aliases)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: does not say which layers share weights; remove it and run again"
        ) from error
    return aliases
