"""The hyperparameters of a training, known without importing torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Literal

from pydantic import Field

from graphprune.data.augmentation import Augmentation
from graphprune.errors import one_of
from graphprune.options import check_fields

# more examples than there are; also what a torch.Tensor can be split by
Batch = Annotated[int, Field(ge=1, le=2**31)]
Epochs = Annotated[
    int,
    Field(
        ge=0,
        le=1_000_000,
        description="Passes over the training split; 0 leaves the network as it is.",
    ),
]


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of a training: the keys of the configuration's ``train`` and ``finetune``.

    >>> Settings(epochs=5, learning_rate=0.02)
    """

    epochs: Epochs
    batch_size: Annotated[
        Batch, Field(description="Examples a step; the last batch of an epoch may be smaller.")
    ] = 64
    optimizer: Annotated[
        Literal["sgd", "adam"], Field(description="`sgd` (with `momentum`) or `adam`.")
    ] = "sgd"
    learning_rate: Annotated[float, Field(gt=0, description="Learning rate at the start.")] = 0.05
    momentum: Annotated[float, Field(ge=0, lt=1, description="Momentum of `sgd`.")] = 0.9
    weight_decay: Annotated[float, Field(ge=0, description="L2 penalty on all parameters.")] = 0.0
    schedule: Annotated[
        Literal["constant", "cosine", "step"],
        Field(
            description="Of the learning rate: `constant`; `cosine` to zero over the whole "
            "training, step by step; `step`, a tenth after half and again after three quarters of "
            "the epochs."
        ),
    ] = "cosine"
    augmentation: Annotated[
        Augmentation,
        Field(
            description="What is done to the training images, anew in every epoch: `none`; `crop` "
            "pads an eighth of the edge and crops; `crop_flip` also mirrors; `resized_crop_flip` "
            "scales a random part, and mirrors; `by_dataset` what suits the dataset."
        ),
    ] = "none"
    seed: Annotated[
        int, Field(ge=0, lt=2**32, description="Of the order of the examples and their crops.")
    ] = 0

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def of(cls, options: Mapping[str, object], seed: int) -> Settings:
        """Settings from a section of the configuration.

        Raises UserError for a key that is none of the fields, and for a value that is not allowed.
        """
        known = {field.name for field in fields(cls)} - {"seed"}
        for key in options:
            if key not in known:
                raise one_of("training option", key, known)
        return cls(**options, seed=seed)  # type: ignore[arg-type]
