# What each job asks a scheduler for; graphprune.demands computes it. More at every attempt, so that
# a job killed for its memory or its time comes through when it is tried again.
# On one machine nothing is asked for, and these numbers bind nobody.

from math import ceil

from graphprune import demands
from graphprune.sizes import EXAMPLES as EXAMPLES_IN

# ProbMask's budget where the configuration gives no epochs
SHORT_EPOCHS, SHORT_STEPS = 10, 600

# Inside a Slurm job the executor starts Snakemake with all CPUs it sees, which is the whole node where
# Slurm does not bind a job to its own: the members of a group would no longer take turns.
if workflow.remote_exec and (given := os.environ.get("SLURM_CPUS_PER_TASK")):
    workflow.global_resources["_cores"] = int(given)


def memory(stage):
    """Resource function: MB."""
    return lambda wildcards, attempt: attempt * demands.memory(task(stage, wildcards))


def minutes(stage):
    """Resource function: minutes of wall time."""
    return lambda wildcards, attempt: attempt * demands.minutes(task(stage, wildcards))


def gpus(wildcards):
    """Resource function of the stages that train or measure: GPUs, one or none."""
    return int(config["device"] == "cuda")


def task(stage, wildcards):
    if stage in demands.OVERVIEWS:
        units = len(COMPRESSIONS) * len(PAIRS)
        if "dataset" not in wildcards.keys():
            units *= len(NETWORKS) * len(config["seeds"])
        return demands.Task(stage, units=units)
    if stage == "data":
        return demands.Task(stage, wildcards.dataset)
    train, finetune = (settings(part)(wildcards) for part in ("train", "finetune"))
    units = min(config["compressions_per_job"], len(COMPRESSIONS))
    passes = {
        "train": train["epochs"],
        "finetune": units
        * (train["epochs"] * in_scratch(wildcards) + finetune["epochs"]),
        "learn": units * learning_epochs(wildcards),
        # of the test split; removal looks at 80 pruned networks
        "evaluate": (1 + 2 * units) / 5,
        "removal": 80 / 5,
    }
    return demands.Task(
        stage,
        wildcards.dataset,
        wildcards.model,
        batch=max(part.get("batch_size", 64) for part in (train, finetune)),
        passes=passes.get(stage, 0),
        examples=ceil(10 * config["calibration"]["examples_per_class"] / PARTS),
        units=units,
        device=config["device"],
    )


def in_scratch(wildcards):
    return wildcards.get("regime") == "scratch"


def learning_epochs(wildcards):
    """Epochs of the training that the wildcards' method does itself, times its masks a step."""
    entry = METHODS.get(wildcards.get("method"), {})
    if entry.get("method") != "probmask":
        return 0
    examples = EXAMPLES_IN[wildcards.dataset]
    short = max(SHORT_EPOCHS, SHORT_STEPS * entry.get("batch_size", 64) / examples)
    return entry.get("epochs", short) * entry.get("draws", 2)
