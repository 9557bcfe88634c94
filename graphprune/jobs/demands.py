"""What the stages of the workflow need: memory and time, from the sizes of network and dataset.

A scheduler is asked for them before anything runs, so nothing here imports torch. The constants
were measured (docs/cluster.md); ``benchmarks/resources.py`` compares them with the benchmark files
of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, prod

from graphprune.data.catalog import describe
from graphprune.errors import one_of
from graphprune.models.sizes import Size, network_size

MB = 2**20
# resident MB of a stage before any data: the interpreter and the packages it imports
BASE = {
    "data": 300,
    "train": 270,
    "activations": 250,
    "graph": 480,
    "score": 370,
    "learn": 430,
    "prune": 290,
    "finetune": 270,
    "evaluate": 260,
    "removal": 260,
    "latency": 470,
    "figures": 460,
    "records": 300,
}
# stages that show or record many units
OVERVIEWS = ("figures", "records")
# MB of a process's memory that CUDA's libraries take: a guess, not measured
CUDA = 2000
ON_DEVICE = ("train", "finetune", "learn", "evaluate", "removal")
# the two Snakemakes that run inside a scheduler's job, MB
SNAKEMAKE = 260
# what plug-ins import, in the job and in each of these Snakemakes; torch takes 200 MB
PLUGINS = 3 * 250
# stages that train -> what one training pass costs, in forward passes
TRAININGS = {"train": 3, "finetune": 3, "learn": 6}
# what is asked for, as a multiple of what was measured
MARGIN = 1.25
# multiplications a second of a training on one slow core (here 1.5e10 to 2.8e10), seconds of a
# training step however small, seconds of one edge's curvature
SPEED = 1e10
STEP = 0.004
CURVATURE_SECONDS = 4e-6
# seconds of imports from a cold or busy shared disk; seconds that an overview takes for each unit
START, OVERVIEW_OF_A_UNIT = 120, 1.0
# seconds in which a core reads and decodes a JPEG of ImageNet
READ = 0.006
# images in one forward pass of an evaluation
EVALUATED = 1000
# taken for a dataset of a plug-in that does not say how many images it has
EXAMPLES_UNKNOWN = 60_000


@dataclass(frozen=True)
class Task:
    """One job of the workflow.

    stage: one of ``BASE``. dataset, model: of its network; empty for an overview. options: of the
    model's builder. batch: examples a training step. passes: epochs times trainings. examples: how
    many curvature looks at. units: how many the job makes or shows. device: where stages that train
    or measure run. training_split: whether a job that scores holds it. input_shape: of the images
    as the network sees them, where it is not the dataset's.
    """

    stage: str
    dataset: str = ""
    model: str = ""
    batch: int = 64
    passes: float = 0.0
    examples: int = 0
    units: int = 1
    device: str = "cpu"
    options: Mapping[str, object] = field(default_factory=dict)
    training_split: bool = False
    input_shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.stage not in BASE:
            raise one_of("stage", self.stage, BASE)


def memory(task: Task, plugins: bool = False) -> int:
    """MB to ask for: 1.25 · (base + data) + what Snakemake needs, rounded up to hundreds.

    data is the dataset as float32, the weights with gradients and momenta, and the activations of a
    training batch or of 1 000 evaluated images, whichever is more. plugins: whether the job loads
    plug-ins, for whose imports 750 MB are added.

    >>> memory(Task("train", "digits", "mlp"))
    600
    """
    needed = MARGIN * (BASE[task.stage] + _bytes(task) / MB) + SNAKEMAKE
    if plugins:
        needed += PLUGINS
    if task.device == "cuda" and task.stage in ON_DEVICE:
        needed += CUDA
    return 100 * ceil(needed / 100)


def minutes(task: Task) -> int:
    """Minutes to ask for: 1.5 times what one slow core takes, and the start-up.

    A training pass takes as long as three forward passes, one of ProbMask as long as six. The time
    of curvature is proportional to edges times examples.

    >>> minutes(Task("train", "mnist5k", "lenet5", passes=20))
    3
    """
    return ceil((START + 1.5 * _seconds(task)) / 60)


def images_of(dataset: str) -> int:
    """Images in all splits of ``dataset``; 60 000, as in CIFAR, where the catalog does not say."""
    return describe(dataset).examples or EXAMPLES_UNKNOWN


def _dataset_bytes(task: Task) -> int:
    """Bytes of all images as float32, the form they are computed with.

    Of a streamed dataset: of an evaluated batch, and of those that its workers read ahead.
    """
    described = describe(task.dataset)
    images = 3 * EVALUATED if described.streamed else images_of(task.dataset)
    return 4 * images * prod(task.input_shape or described.input_shape)


def _size(task: Task) -> Size:
    return network_size(task.dataset, task.model, task.options, task.input_shape)


def _bytes(task: Task) -> float:
    if task.stage in OVERVIEWS:
        return 0
    images = _dataset_bytes(task)
    if task.stage == "data":
        # three copies: as published, as numbers, and split
        return 3 * images
    size = _size(task)
    weights = 4 * size.parameters
    # two layers are held at a time: at worst a third of all activations
    inference = images + 3 * weights + 4 * EVALUATED * size.activations / 3
    training = images + 6 * weights + 1.5 * 4 * task.batch * size.activations
    edges = size.multiplications
    return {
        "train": max(training, inference),
        "finetune": max(training, inference),
        "learn": max(2 * training, inference) + 10 * weights,
        "graph": 4 * weights + 12 * edges,
        "score": 6 * weights + 12 * edges + images * task.training_split,
        "prune": 6 * weights,
        "latency": 6 * weights + 4 * 64 * size.activations,
    }.get(task.stage, inference)


def _seconds(task: Task) -> float:
    if task.stage in OVERVIEWS:
        return OVERVIEW_OF_A_UNIT * task.units
    streamed = describe(task.dataset).streamed
    if task.stage == "data":
        return READ * images_of(task.dataset) if streamed else _dataset_bytes(task) / MB
    size = _size(task)
    examples = images_of(task.dataset) * task.passes
    work = examples * size.multiplications / SPEED
    if task.stage in TRAININGS:
        work = TRAININGS[task.stage] * (work + STEP * examples / task.batch)
    work += READ * examples * streamed
    if task.stage in ("score", "graph"):
        work += CURVATURE_SECONDS * size.multiplications * task.examples
    # reading and writing a network, and the Python around it
    return work + task.units * (5 + 2e-7 * size.parameters)
