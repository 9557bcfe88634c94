"""The hyperparameters of a training, known without importing torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Annotated, Any, Literal

from pydantic import Field

from graphprune.data.augmentation import Augmentation
from graphprune.errors import UserError, one_of, shown
from graphprune.options import Section, check_fields, validated

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
Share = Annotated[float, Field(gt=0, lt=1)]


class Adversarial(Section):
    """Adversarial training: every step takes the images that an attack (PGD) found.

    ``epsilon`` and ``step`` are in pixel units: shares of a pixel's range, black 0 to white 1,
    whatever a dataset's standardisation; 8 of 255 levels are 0.0314.
    """

    epsilon: Annotated[
        float, Field(gt=0, le=1, description="Largest change of a pixel, as a share of its range.")
    ]
    step: Annotated[
        float,
        Field(gt=0, le=1, description="Change of a pixel a step of the attack, as such a share."),
    ]
    steps: Annotated[int, Field(ge=1, le=1000, description="Steps of the attack.")]


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of a training: the keys of the configuration's ``train`` and ``finetune``.

    What each does, with formulas: docs/training.md.

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
    weight_decay: Annotated[float, Field(ge=0, description="L2 penalty on the parameters.")] = 0.0
    schedule: Annotated[
        Literal["constant", "cosine", "step", "multistep"],
        Field(
            description="Of the learning rate: `constant`; `cosine` to zero over the whole "
            "training, step by step; `step`, a tenth after half and again after three quarters of "
            "the epochs; `multistep`, by `gamma` at each of the `milestones`."
        ),
    ] = "cosine"
    warmup: Annotated[
        float,
        Field(
            ge=0,
            le=1_000_000,
            description="Epochs over which the learning rate rises to `learning_rate`, in equal "
            "steps; the cosine begins after them. At most `epochs`.",
        ),
    ] = 0.0
    milestones: Annotated[
        list[Share],
        Field(
            max_length=100,
            description="Of `multistep`: shares of the training, ascending; 80 and 120 of 160 "
            "epochs are 0.5 and 0.75.",
        ),
    ] = field(default_factory=lambda: [0.5, 0.75])
    gamma: Annotated[
        float, Field(gt=0, le=1, description="Factor of the learning rate at each milestone.")
    ] = 0.1
    nesterov: Annotated[bool, Field(description="Whether the momentum of `sgd` is Nesterov's.")] = (
        False
    )
    label_smoothing: Annotated[
        float,
        Field(ge=0, lt=1, description="Share of the target that is spread over all classes."),
    ] = 0.0
    clip_norm: Annotated[
        float | None,
        Field(gt=0, description="Largest joint norm of the gradients; null does not clip."),
    ] = None
    decay_norms_and_biases: Annotated[
        bool, Field(description="Whether `weight_decay` is also for norms and biases.")
    ] = True
    ema: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="Decay of an exponential moving average of the weights, which is what is "
            "measured and kept; 0 for none.",
        ),
    ] = 0.0
    precision: Annotated[
        Literal["float32", "bfloat16", "float16"],
        Field(
            description="Of the network's passes (torch's autocast; `float16` with loss scaling); "
            "weights, optimizer and measurements are float32."
        ),
    ] = "float32"
    channels_last: Annotated[
        bool, Field(description="Whether images and filters have their channels last in memory.")
    ] = False
    compile: Annotated[
        bool,
        Field(
            description="Whether torch compiles the network, which takes a minute and a C++ "
            "compiler."
        ),
    ] = False
    accumulate: Annotated[
        Batch,
        Field(
            description="Parts that a step's batch is passed in, one after the other; their "
            "gradients are summed."
        ),
    ] = 1
    adversarial: Annotated[
        Adversarial | None,
        Field(description="Adversarial training; null for none."),
    ] = None
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
        if isinstance(self.adversarial, Mapping):
            attack = Adversarial(**validated(Adversarial, self.adversarial, "adversarial"))
            object.__setattr__(self, "adversarial", attack)
        if self.milestones != sorted(set(self.milestones)):
            raise UserError(
                f"milestones is {shown(self.milestones)}; allowed: each larger than the one before"
            )
        if self.nesterov and (self.optimizer != "sgd" or self.momentum == 0):
            raise UserError(
                f"nesterov is true, but optimizer is {self.optimizer} and momentum "
                f"{self.momentum:g}; allowed: sgd with momentum > 0"
            )

    def section(self) -> dict[str, Any]:
        """The settings as a section of the configuration, of plain values, with the seed."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        if self.adversarial is not None:
            found["adversarial"] = self.adversarial.model_dump()
        return found

    @classmethod
    def of(cls, options: Mapping[str, object], seed: int) -> Settings:
        """Settings from a section of the configuration.

        Raises UserError for a key that is none of the fields, and for a value that is not allowed.
        """
        known = {field.name for field in fields(cls)} - {"seed"}
        for key in options:
            if key not in known:
                raise one_of("training option", key, known)
        settings = cls(**options, seed=seed)  # type: ignore[arg-type]
        if 0 < settings.epochs < settings.warmup:
            raise UserError(
                f"warmup is {settings.warmup:g}; allowed: at most epochs = {settings.epochs}"
            )
        return settings


# they stand in every recipe and record; the keys that came later only where they are used
_FIRST = ("epochs", "batch_size", "optimizer", "learning_rate", "momentum", "weight_decay",
          "schedule")  # fmt: skip


def decisive(section: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in ``section`` that decide a training: without the keys that change nothing.

    Those are keys with the value that leaves a feature off, and the milestones of other schedules.
    So a key that is added later makes nothing outdated.

    >>> decisive({"epochs": 5, "nesterov": False, "ema": 0.9})
    {'epochs': 5, 'ema': 0.9}
    """
    off = {
        one.name: one.default if one.default_factory is MISSING else one.default_factory()
        for one in fields(Settings)
        if one.name not in _FIRST
    }
    if section.get("schedule") == "multistep":
        del off["milestones"], off["gamma"]
    else:
        off |= {key: section.get(key) for key in ("milestones", "gamma")}
    return {key: value for key, value in section.items() if key not in off or value != off[key]}
