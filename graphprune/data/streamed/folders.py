"""Folders of images that a configuration names: datasets like those in the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from graphprune.data.catalog import DATASETS, IMAGENET_MEAN, IMAGENET_STD, Description, edge_of
from graphprune.options import Section, validated

SOURCE = "data.folders"


class ImageFolder(Section):
    """A folder of images, a dataset by its name here."""

    path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1000,
            description="The folder; class folders lie in it, or in its `train` and its `test` or "
            "`val`.",
        ),
    ]
    classes: Annotated[int, Field(ge=2, le=100_000, description="How many classes it has.")]
    size: Annotated[
        int, Field(ge=8, le=1024, description="Edge of the images that the network sees, pixels.")
    ] = 224
    edge: Annotated[
        int | None,
        Field(
            ge=8,
            le=2048,
            description="What the shorter edge is made before the middle is taken; 8/7 of `size` "
            "where it is not given.",
        ),
    ] = None
    images: Annotated[
        int,
        Field(ge=0, le=10**9, description="How many there are, about: jobs ask for time by it."),
    ] = 0
    augmentation: Annotated[
        Literal["none", "crop", "crop_flip", "resized_crop_flip"],
        Field(description="What `by_dataset` means for it."),
    ] = "resized_crop_flip"


def register(section: object) -> None:
    """Make the ``folders`` in the section ``data`` of a configuration datasets of the catalog.

    Those of an earlier configuration are none any more. What is no mapping is left to the check of
    all keys.

    Raises UserError for a key that is not allowed, and for a name that is taken or not allowed.
    """
    DATASETS.forget(SOURCE)
    given = section.get("folders") if isinstance(section, Mapping) else None
    for name, keys in (given if isinstance(given, Mapping) else {}).items():
        if not isinstance(name, str) or not isinstance(keys, Mapping):
            continue
        DATASETS.check_name(name, SOURCE)
        folder = ImageFolder(**validated(ImageFolder, keys, f"{SOURCE}.{name}"))
        entry = Description(
            input_shape=(3, folder.size, folder.size),
            num_classes=folder.classes,
            examples=folder.images,
            reader="graphprune.data.streamed.listing:folder",
            source={"path": folder.path},
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            augmentation=folder.augmentation,
            edge=folder.edge or edge_of(folder.size),
        )
        DATASETS.add(name, entry, SOURCE)
