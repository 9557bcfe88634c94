"""The datasets by name, with all that is known of them without reading an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from graphprune.errors import UserError
from graphprune.plugins import Catalog, check_call, source_of

if TYPE_CHECKING:
    from graphprune.data.base import Parts

Load = TypeVar("Load", bound=Callable[[Path], Mapping[str, tuple[Any, Any]]])

DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
THINGS = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


@dataclass(frozen=True)
class Description:
    """A dataset: the shape and classes that a network must fit, and the function that reads it.

    input_shape: (channels, height, width) of one image.
    examples: images in all splits together, as published; a file may hold a subset. 0 if it is not
        known.
    reader: "module:function" that reads the published files, or that function;
        ``reader(name, folder, download, **source)`` returns `graphprune.data.base.Parts`. Of a
        streamed dataset: ``reader(name, path)`` returns `graphprune.data.streamed.listing.Listing`.
    source: further arguments that the reader needs for this dataset. Of a streamed dataset: its
        ``path``, or what it is ``below`` the folder of the data files.
    edge: 0, or of a streamed dataset what the shorter edge of an image is made before the square in
        the middle is taken. Its images stay where they are and are read when they are needed.
    classes: names of the classes, in the order of the labels; empty where the files name them.
    levels: largest pixel value.
    mean, std: by channel, of the pixels in [0, 1]; pixels are standardised with them. Empty for
        datasets with a background of 0, which has to stay 0: an inactive vertex of the neural
        graph.
    augmentation: what a training with ``augmentation: by_dataset`` does to the images.
    digest: of the `graphprune.data.Dataset` that the published files make (SHA-256 over inputs and
        labels); empty where the files are checked before they are read, or are the user's own.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    examples: int
    reader: str | Callable[..., Parts]
    source: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    levels: int = 255
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    augmentation: str = "none"
    digest: str = ""
    edge: int = 0

    @property
    def streamed(self) -> bool:
        return self.edge > 0


def edge_of(size: int) -> int:
    """The shorter edge from which the middle is taken: 256 for 224 pixels, as is the custom."""
    return round(size * 8 / 7)


GREY, RGB = (1, 28, 28), (3, 32, 32)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LISTING = "graphprune.data.streamed.listing"
VISION = "graphprune.data.vision:read"

# mean and std of CIFAR are the usual constants, taken over the published training images
DATASETS: Catalog[Description] = Catalog(
    "dataset",
    {
        "digits": Description(
            input_shape=(1, 8, 8),
            num_classes=10,
            examples=1_797,
            reader="graphprune.data.embedded:digits",
            classes=DIGITS,
            levels=16,
            digest="5a8c53b00cc4dd471723aeb848b4cae2dc047fef229671dba080bd51b64ab56b",
        ),
        "mnist5k": Description(
            input_shape=GREY,
            num_classes=10,
            examples=5_000,
            reader="graphprune.data.embedded:mnist5k",
            classes=DIGITS,
            digest="061098b546440a57c67e8d8caa69d4e0339febc4fbfb0749e32a4b874d6bd7b8",
        ),
        "mnist": Description(
            input_shape=GREY,
            num_classes=10,
            examples=70_000,
            reader=VISION,
            source={"kind": "MNIST", "below": "MNIST/raw"},
            classes=DIGITS,
        ),
        "fashion_mnist": Description(
            input_shape=GREY,
            num_classes=10,
            examples=70_000,
            reader=VISION,
            source={"kind": "FashionMNIST", "below": "FashionMNIST/raw"},
            classes=CLOTHES,
        ),
        "cifar10": Description(
            input_shape=RGB,
            num_classes=10,
            examples=60_000,
            reader=VISION,
            source={"kind": "CIFAR10", "below": "cifar-10-batches-py"},
            classes=THINGS,
            mean=(0.4914, 0.4822, 0.4465),
            std=(0.2470, 0.2435, 0.2616),
            augmentation="crop_flip",
        ),
        "cifar10_subset": Description(
            input_shape=RGB,
            num_classes=10,
            examples=10_000,
            reader="graphprune.data.archive:read",
            classes=THINGS,
            mean=(0.4914, 0.4822, 0.4465),
            std=(0.2470, 0.2435, 0.2616),
            augmentation="crop_flip",
        ),
        "cifar100": Description(
            input_shape=RGB,
            num_classes=100,
            examples=60_000,
            reader=VISION,
            source={"kind": "CIFAR100", "below": "cifar-100-python"},
            mean=(0.5071, 0.4865, 0.4409),
            std=(0.2673, 0.2564, 0.2762),
            augmentation="crop_flip",
        ),
        # mean and std are the usual constants; torchvision reads the files from the root
        "svhn": Description(
            input_shape=RGB,
            num_classes=10,
            examples=99_289,
            reader=VISION,
            source={"kind": "SVHN", "below": ""},
            classes=DIGITS,
            mean=(0.4377, 0.4438, 0.4728),
            std=(0.1980, 0.2010, 0.1970),
            augmentation="crop_flip",
        ),
        "tiny_imagenet": Description(
            input_shape=(3, 64, 64),
            num_classes=200,
            examples=110_000,
            reader=f"{LISTING}:tiny_imagenet",
            source={"below": "tiny-imagenet-200"},
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            augmentation="crop_flip",
            edge=64,
        ),
        "imagenet": Description(
            input_shape=(3, 224, 224),
            num_classes=1000,
            examples=1_331_167,
            reader=f"{LISTING}:folder",
            source={"below": "imagenet"},
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            augmentation="resized_crop_flip",
            edge=256,
        ),
    },
)


def describe(name: str) -> Description:
    """What is known of the dataset ``name`` without importing torch or reading a file.

    Raises UserError if there is no such dataset.

    >>> describe("mnist5k").input_shape
    (1, 28, 28)
    """
    return DATASETS[name]


def register_dataset(
    name: str,
    input_shape: tuple[int, int, int],
    num_classes: int,
    classes: Sequence[str] = (),
    examples: int = 0,
) -> Callable[[Load], Load]:
    """Add the dataset that the decorated function loads to the catalog; for plug-ins.

    The function takes a folder (``data.folder`` of the configuration, a ``pathlib.Path``) and
    returns ``{"train": (images, labels), "test": (images, labels)}``: images ``(n, c, h, w)``,
    uint8 (scaled to [0, 1] by 255) or floating point (taken as they are); labels integers ``(n,)``,
    0 … num_classes − 1. 10 % of each class of the training images become the validation split.

    Parameters
    ----------
    name : its name in the configuration: lower case letters, digits, underscores.
    input_shape : (channels, height, width) of one image.
    num_classes : number of classes, at least 2.
    classes : their names; by default the numbers.
    examples : how many images there are in all; jobs ask a scheduler for memory and time by it.

    Raises
    ------
    UserError : a name that is taken or not allowed, a shape of another form, too few classes.

    >>> @register_dataset("blobs", input_shape=(1, 8, 8), num_classes=2)
    ... def load(folder):
    ...     return {"train": (images, labels), "test": (test_images, test_labels)}
    """

    def register(load: Load) -> Load:
        source = source_of(load)
        check_call(f"{source}: dataset {name}: its function", load, "folder")
        shape = tuple(input_shape)
        whole = [isinstance(size, int) and size >= 1 for size in shape]
        if len(shape) != 3 or not all(whole):
            raise UserError(
                f"{source}: dataset {name}: input_shape is {input_shape!r}; "
                "expected (channels, height, width)"
            )
        names = tuple(classes) or tuple(map(str, range(num_classes)))
        if num_classes < 2 or len(names) != num_classes:
            raise UserError(
                f"{source}: dataset {name}: num_classes is {num_classes} with {len(names)} names; "
                "allowed: at least 2, and as many names"
            )

        def read(_name: str, folder: str | Path, _download: bool) -> Parts:
            from graphprune.data.added import parts_of

            return parts_of(name, load, Path(folder), shape)

        DATASETS.add(name, Description(shape, num_classes, examples, read, classes=names), source)
        return load

    return register
