"""How large networks and datasets are, known without importing torch.

For whoever plans a computation before it starts: the workflow asks a scheduler for memory and time
from these. A test holds the table to the networks themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from graphprune.data.catalog import describe
from graphprune.models.catalog import check_fit


@dataclass(frozen=True)
class Size:
    """What one network is made of.

    parameters: all of them. activations: outputs of all layers for one example, in numbers.
    multiplications: of one forward pass of one example.
    """

    parameters: int
    activations: int
    multiplications: int


GREY8, GREY28, RGB32 = (1, 8, 8), (1, 28, 28), (3, 32, 32)
SIZES: dict[tuple[str, tuple[int, int, int]], Size] = {
    ("mlp", GREY8): Size(17_226, 458, 17_024),
    ("mlp", GREY28): Size(266_610, 1_594, 266_200),
    ("mlp", RGB32): Size(953_010, 3_882, 952_600),
    ("mlp5", GREY8): Size(828_426, 6_218, 824_320),
    ("mlp5", GREY28): Size(1_197_066, 6_938, 1_192_960),
    ("mlp5", RGB32): Size(2_368_522, 9_226, 2_364_416),
    ("lenet5", GREY28): Size(45_548, 2_914, 128_040),
    ("lenet5", RGB32): Size(63_260, 3_970, 272_328),
    ("vgg9", RGB32): Size(1_455_562, 198_538, 43_009_280),
    ("vgg16_bn", RGB32): Size(14_724_042, 861_194, 313_201_664),
    ("resnet20", GREY8): Size(269_434, 40_458, 2_516_608),
    ("resnet20", GREY28): Size(269_434, 494_058, 30_821_248),
    ("resnet20", RGB32): Size(269_722, 645_258, 40_551_040),
    ("resnet32", GREY8): Size(463_866, 65_546, 4_286_080),
    ("resnet32", GREY28): Size(463_866, 801_386, 52_497_280),
    ("resnet32", RGB32): Size(464_154, 1_046_666, 68_862_592),
    ("resnet18", RGB32): Size(11_181_642, 153_098, 37_016_576),
    ("vgg16", RGB32): Size(134_301_514, 633_866, 432_775_168),
}
# images in all splits, of the published files; a subset is taken to be no larger than this
EXAMPLES = {
    "digits": 1_797,
    "mnist5k": 5_000,
    "mnist": 70_000,
    "fashion_mnist": 70_000,
    "cifar10": 60_000,
    "cifar10_subset": 10_000,
    "cifar100": 60_000,
}


def network_size(dataset: str, model: str) -> Size:
    """Size of ``model`` for the images of ``dataset``; of more classes a little too small.

    Raises UserError if there is no such dataset or network, or if they do not fit.

    >>> network_size("mnist", "lenet5").parameters
    45548
    """
    shape = describe(dataset).input_shape
    check_fit(model, shape)
    return SIZES[model, shape]


def dataset_bytes(dataset: str) -> int:
    """Bytes of all images of ``dataset`` as float32, the form they are computed with.

    Raises UserError if there is no such dataset.

    >>> dataset_bytes("digits")
    460032
    """
    return 4 * EXAMPLES[dataset] * prod(describe(dataset).input_shape)
