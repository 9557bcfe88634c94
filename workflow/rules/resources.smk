# What each job asks a scheduler for; graphprune.jobs.demands computes it. A job that is tried again
# asks for more, so that one that was killed for its memory or its time can finish.
# On one machine nothing is asked for, and these numbers limit nothing.

from functools import lru_cache
from math import ceil

from graphprune.data.catalog import describe
from graphprune.jobs import demands
from graphprune.plugins import loaded

# Inside a Slurm job the executor starts Snakemake with all CPUs it sees, which is the whole node where
# Slurm does not bind a job to its own: the members of a group would no longer take turns.
if workflow.remote_exec and (given := os.environ.get("SLURM_CPUS_PER_TASK")):
    workflow.global_resources["_cores"] = int(given)


def asks(stage, task=None):
    """The resources of a rule: memory (MB), time (minutes) and, where it trains, a GPU.

    task: what the job does; by default what the wildcards say.
    """
    task = task or (lambda wildcards: task_of(stage, wildcards))
    wanted = {
        "mem_mb": lambda wildcards, attempt: attempt
        * demands.memory(task(wildcards), bool(loaded())),
        "runtime": lambda wildcards, attempt: attempt
        * demands.minutes(task(wildcards)),
    }
    if stage in demands.ON_DEVICE:
        wanted["gpu"] = lambda wildcards: int(config["device"] == "cuda")
    return wanted


def task_of(stage, wildcards):
    if stage in demands.OVERVIEWS:
        units = len(COMPRESSIONS) * len(PAIRS)
        if "dataset" not in wildcards.keys():
            units *= len(NETWORKS) * len(config["seeds"])
        return demands.Task(stage, units=units)
    if stage == "data":
        return demands.Task(stage, wildcards.dataset)
    network = network_of(wildcards)
    train, finetune = (settings(part)(wildcards) for part in ("train", "finetune"))
    units = min(config["compressions_per_job"], len(COMPRESSIONS))
    passes = {
        "train": passes_of(train),
        "finetune": units
        * (passes_of(train) * in_scratch(wildcards) + passes_of(finetune)),
        "learn": passes_of_method(wildcards, units),
        # these two only see the test split, a fifth of the images; removal measures 80 networks
        "evaluate": (1 + 2 * units) / 5,
        "removal": 80 / 5,
    }
    calibrated = config["calibration"]["examples_per_class"]
    return demands.Task(
        stage,
        wildcards.dataset,
        network["model"],
        batch=max(map(batch_of, (train, finetune))),
        passes=passes.get(stage, 0),
        examples=ceil(describe(wildcards.dataset).num_classes * calibrated / PARTS),
        units=units,
        device=config["device"],
        options=network["options"],
        input_shape=brought.shape_of(network),
        training_split=holds_training_split(wildcards),
    )


def passes_of(training):
    """Training passes over the examples; each step of an attack is one more."""
    attack = training["adversarial"]
    return training["epochs"] * (1 + (attack["steps"] if attack else 0))


def batch_of(training):
    """Examples whose activations are held at a time."""
    return ceil(training["batch_size"] / training["accumulate"])


def holds_training_split(wildcards):
    label = wildcards.get("method")
    return label in METHODS and CLASSES[label].examples == "training"


def in_scratch(wildcards):
    return wildcards.get("regime") == "scratch"


def passes_of_method(wildcards, runs):
    """Epochs of the training that the wildcards' method does itself, times its passes in each."""
    label = wildcards.get("method")
    if label not in METHODS:
        return 0
    examples = demands.images_of(wildcards.dataset)
    return (
        method_object(label).epochs_needed(examples, runs)
        * method_object(label).passes_an_epoch()
    )


@lru_cache(maxsize=None)
def method_object(label):
    return build(METHODS[label]["method"], **options(METHODS[label]))
