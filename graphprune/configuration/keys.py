"""Every key of the configuration: name, type, range, default and description, said once.

The keys of a method's entry are the fields of its class (`entry_section`). The JSON schema and
``docs/configuration.md`` are made from here (`graphprune.configuration.publish`).
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from graphprune.configuration.values import (
    Count,
    Dataset,
    Digest,
    Folder,
    Model,
    Name,
    Ratio,
    Text,
)
from graphprune.data.preprocess import Preprocess as Fields
from graphprune.data.streamed.folders import ImageFolder
from graphprune.defaults import CHECKPOINT_MINUTES, MAX_EDGES, REPEATS
from graphprune.methods.base import SET_BY_WORKFLOW, Method, Seed
from graphprune.options import Section, Unique, section_of
from graphprune.training.devices import Device
from graphprune.training.regimes import Regime
from graphprune.training.settings import Epochs, Settings

Seeds = Annotated[list[Seed], Field(min_length=1), Unique()]
Regimes = Annotated[
    list[Regime],
    Field(
        min_length=1,
        description="`finetune`: the method sees the trained network, which is then fine-tuned. "
        "`scratch`: it sees the untrained network, which is then trained for as many epochs as the "
        "other regime takes in all.",
    ),
    Unique(),
]
Scope = Annotated[
    Literal["global", "layer"],
    Field(
        description="`global` ranks all weights together, `layer` prunes every layer alike. A "
        "method that decides its mask has `global` only."
    ),
]

_Settings = section_of(Settings, leave_out=("seed",))


class Recipe(_Settings):  # type: ignore[misc, valid-type]
    """Settings of a training that several networks may use by its name."""

    epochs: Epochs = 0


class Training(_Settings):  # type: ignore[misc, valid-type]
    """Settings of a training."""

    # replaced by the recipe's keys before the others are checked (`complete`)
    recipe: Annotated[
        Name | None,
        Field(
            description="A recipe's name. Its keys count as if they stood here, and keys that "
            "stand here go before them."
        ),
    ] = None


class Overrides(Training):
    """Settings of a training of which only some are given."""

    epochs: Epochs = 0


class Data(Section):
    """Where datasets come from."""

    folder: Annotated[
        Folder,
        Field(
            description="Folder of the datasets that no installed package brings, in torchvision's "
            "layout; datasets of plug-ins get it too."
        ),
    ] = "data"
    folders: Annotated[
        dict[str, ImageFolder],
        Field(
            description="Folders of images by the names of the datasets that they are; the keys of "
            "an entry stand below."
        ),
    ] = {}
    workers: Annotated[
        int,
        Field(
            ge=0,
            le=256,
            description="Processes a job that read the images of a streamed dataset ahead "
            "(folders, `imagenet`, `tiny_imagenet`); no result depends on it.",
        ),
    ] = 2
    download: Annotated[
        bool, Field(description="Whether torchvision may fetch a set that the folder lacks.")
    ] = True


Preprocess = section_of(Fields)
Preprocess.__doc__ = "How a network that was trained elsewhere sees the images of its dataset."


class Network(Section):
    """One network to train and prune, or to take over and prune."""

    dataset: Annotated[Dataset, Field(description="A dataset's name.")]
    model: Annotated[Model, Field(description="A model's name, `torchvision:NAME` or `timm:NAME`.")]
    name: Annotated[
        Name | None,
        Field(
            description="What tables, figures and folders call this network; the model's name "
            "where it is not given, with `-` for `:`. Two networks of one model and dataset need "
            "two names."
        ),
    ] = None
    options: Annotated[
        dict[str, Any],
        Field(description="Options of the model's builder, such as `{width: 8}` of `resnet20`."),
    ] = {}
    checkpoint: Annotated[
        Folder | None,
        Field(
            description="The trained network, which is not trained here then: a file "
            "(`.safetensors`, `.pt`, `.pth`) relative to this file or to the working directory, or "
            "published weights, `weights:NAME` of torchvision or `timm:NAME`; see docs/training.md."
        ),
    ] = None
    sha256: Annotated[
        Digest | None,
        Field(
            description="SHA-256 of the file `checkpoint`; another file is refused. A run notes it "
            "in the configuration that it leaves in its results."
        ),
    ] = None
    preprocess: Annotated[
        Preprocess | None,  # type: ignore[valid-type]
        Field(
            description="How the network of `checkpoint` sees the images; published weights bring "
            "what is not given here, and others see the dataset's own scaling."
        ),
    ] = None
    train: Annotated[
        Overrides | None,
        Field(description="Settings that differ from the common ones for this network."),
    ] = None
    finetune: Annotated[
        Overrides | None,
        Field(description="Settings that differ from the common ones for this network."),
    ] = None


class Scratch(Section):
    """The regime `scratch`."""

    rescale: Annotated[
        bool,
        Field(
            description="Whether the initial weights that stay are scaled to the norm that all "
            "weights of their output channel had."
        ),
    ] = True


class Calibration(Section):
    """The examples that curvature, and other methods that need a few, look at."""

    examples_per_class: Annotated[
        Count,
        Field(description="Correctly classified training examples of each class."),
    ] = 1
    parts: Annotated[
        Count,
        Field(
            description="In how many jobs a divisible method scores these examples, "
            "side by side on a cluster; the scores are the same. At most one for each example."
        ),
    ] = 1


class Latency(Section):
    """The stopwatch."""

    repeats: Annotated[
        Count,
        Field(description="Timed forward passes of each network, dense and compact in turns."),
    ] = REPEATS


class Graph(Section):
    """The neural graph that is written out."""

    max_edges: Annotated[
        int,
        Field(
            ge=0,
            le=10**12,
            description="Largest number of edges of a graph that is written out edge by edge.",
        ),
    ] = MAX_EDGES


class PathLengths(Section):
    """The experiment on accuracy against path length, `snakemake rgp_aspl`."""

    dataset: Annotated[Dataset, Field(description="A dataset's name.")] = "mnist5k"
    model: Annotated[Model, Field(description="A model's name.")] = "mlp5"
    nodes: Annotated[int, Field(ge=4, le=4096, description="Nodes of each graph.")] = 64
    degree: Annotated[
        int, Field(ge=3, le=4095, description="Neighbours of each node; nodes × degree is even.")
    ] = 4
    graphs: Annotated[
        int,
        Field(
            ge=3, le=1000, description="How many graphs, spread over the reachable path lengths."
        ),
    ] = 16
    evaluations: Annotated[Count, Field(description="Graphs scored in the search for each.")] = (
        400_000
    )
    seeds: Annotated[
        Seeds,
        Field(description="One training a seed and graph; the first seeds the graphs as well."),
    ] = [0, 1, 2, 3, 4]
    train: Annotated[
        Overrides, Field(description="Settings that differ from the common ones of `train`.")
    ] = Overrides.model_construct()


class Tracking(Section):
    """What is recorded in MLflow, and how; the variable MLFLOW_TRACKING_URI says where."""

    models: Annotated[
        Literal["all", "dense", "none"],
        Field(
            description="Which networks are recorded as models that `mlflow.pyfunc.load_model` "
            "loads."
        ),
    ] = "all"
    patience: Annotated[
        float,
        Field(
            ge=0, description="Seconds to wait for a server that does not answer before giving up."
        ),
    ] = 300
    live_after: Annotated[
        float,
        Field(
            ge=0,
            description="Seconds after which a training that still runs shows its curves in "
            "MLflow.",
        ),
    ] = 30


class Config(Section):
    """A comparison."""

    experiment: Annotated[
        Text, Field(max_length=200, description="Name of the MLflow experiment.")
    ] = "graphprune"
    results: Annotated[
        Folder,
        Field(
            description="Folder of all outputs. It is not the working directory nor a folder above "
            "it."
        ),
    ] = "results"
    plugins: Annotated[
        list[Folder],
        Field(
            description="Python files that add methods, networks and datasets, relative to this "
            "file or to the working directory; see docs/extending.md."
        ),
        Unique(),
    ] = []
    data: Data = Data()
    networks: Annotated[
        list[Network],
        Field(min_length=1, description="The networks to train and prune."),
    ]
    seeds: Annotated[
        Seeds,
        Field(
            description="Every network is trained once a seed; a seed sets the initialisation, the "
            "order of the examples and all draws."
        ),
    ]
    compressions: Annotated[
        list[Ratio],
        Field(min_length=1, description="Compression ratios, all weights / kept weights."),
        Unique(),
    ]
    compressions_per_job: Annotated[
        Count, Field(description="How many compression ratios share one process.")
    ] = 5
    keep_scores: Annotated[
        bool,
        Field(
            description="Keep the scores of every weight. They are the largest files, and by "
            "default they are removed once the masks that are made from them exist."
        ),
    ] = False
    device: Annotated[
        Device,
        Field(
            description="Where networks are trained and measured; with cuda these jobs ask a "
            "scheduler for a GPU. Curvature, graphs and latency stay on the CPU."
        ),
    ] = "cpu"
    regimes: Regimes = ["finetune"]
    checkpoint_minutes: Annotated[
        float,
        Field(
            ge=0,
            le=1_000_000,
            description="Minutes after which a training that still runs is written to disk, again "
            "and again; after a kill it goes on from there. It decides no result.",
        ),
    ] = CHECKPOINT_MINUTES
    recipes: Annotated[
        dict[Name, Recipe],
        Field(
            description="Settings of trainings by names of your own; `recipe: name` in `train` or "
            "`finetune` uses them."
        ),
    ] = {}
    train: Annotated[
        Training,
        Field(description="The training of the dense networks."),
    ] = Training.model_construct(epochs=20)
    finetune: Annotated[
        Training,
        Field(description="Fine-tuning, the same for every method."),
    ] = Training.model_construct(epochs=5)
    scratch: Scratch = Scratch()
    calibration: Calibration = Calibration()
    latency: Latency = Latency()
    graph: Graph = Graph()
    rgp_aspl: PathLengths = PathLengths()
    tracking: Tracking = Tracking()
    methods: Annotated[
        dict[str, dict[str, Any]],
        Field(
            min_length=1,
            description="The methods by label; a label that is no method's name gives it as "
            "`method`.",
        ),
    ]


@cache
def entry_section(cls: type[Method]) -> type[Section]:
    """The keys of an entry of ``methods`` that is about the method ``cls``.

    ``regimes`` is None where the entry does not give its own.
    """
    scope: Any = Literal["global"] if cls.decides_mask else Scope
    shared: dict[str, Any] = {
        "method": (Literal[cls.name], cls.name),
        "scope": (scope, "global"),
        "regimes": (Regimes | None, None),
    }
    return create_model(
        f"{cls.__name__}Entry", __base__=section_of(cls, leave_out=SET_BY_WORKFLOW), **shared
    )
