"""The datasets by name, as far as is known without reading a single image."""

from __future__ import annotations

from dataclasses import dataclass

from graphprune.errors import one_of

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
    """What a network must fit.

    input_shape: (channels, height, width) of one image.
    classes: names of the classes, in the order of the labels; empty where the files name them.
    levels: largest pixel value.
    mean, std: by channel, of the pixels in [0, 1]; pixels are standardised with them. Empty for
        the datasets whose background is 0 and has to stay 0, an inactive vertex.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    classes: tuple[str, ...] = ()
    levels: int = 255
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


# the usual constants: moments of the published training images, the test images left out
CIFAR10 = Description(
    (3, 32, 32),
    10,
    THINGS,
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
)

DATASETS: dict[str, Description] = {
    "digits": Description((1, 8, 8), 10, DIGITS, levels=16),
    "mnist5k": Description((1, 28, 28), 10, DIGITS),
    "mnist": Description((1, 28, 28), 10, DIGITS),
    "fashion_mnist": Description((1, 28, 28), 10, CLOTHES),
    "cifar10": CIFAR10,
    "cifar10_subset": CIFAR10,
    "cifar100": Description(
        (3, 32, 32), 100, mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762)
    ),
}


def describe(name: str) -> Description:
    """What is known of the dataset ``name`` without importing torch or reading a file.

    Raises UserError if there is no such dataset.

    >>> describe("mnist5k").input_shape
    (1, 28, 28)
    """
    if name not in DATASETS:
        raise one_of("dataset", name, DATASETS)
    return DATASETS[name]
