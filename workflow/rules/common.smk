import hashlib
import os
import sys
from pathlib import Path

# the package beside this workflow, installed or not
sys.path.insert(0, str(Path(workflow.basedir)))

from snakemake.logging import logger

from graphprune.config import complete, options
from graphprune.errors import UserError
from graphprune.methods import PER_SPARSITY


def checked(config):
    """The configuration, complete; what is wrong with it ends everything in one line."""
    import yaml

    schema = Path(workflow.basedir) / "workflow" / "schemas" / "config.schema.yaml"
    try:
        return complete(config, yaml.safe_load(schema.read_text()))
    except UserError as error:
        logger.error(str(error))
        sys.exit(1)


config = checked(config)

RESULTS = config["results"]
DATA = f"{RESULTS}/data/{{dataset}}.safetensors"
# another MLflow store means recording again; a digest, for a URI may hold a password
STORE = hashlib.sha256(os.environ.get("MLFLOW_TRACKING_URI", "").encode()).hexdigest()[
    :16
]
# one trained network
RUN = f"{RESULTS}/{{dataset}}/{{model}}/seed{{seed}}"
CHECKPOINT = f"{RUN}/dense/checkpoint.safetensors"
INITIAL = f"{RUN}/dense/initial.safetensors"
CALIBRATION = f"{RUN}/dense/activations.safetensors"
# the network a method sees in each regime, and the examples
START = {"finetune": CHECKPOINT, "scratch": INITIAL}
EXAMPLES = {
    "finetune": CALIBRATION,
    "scratch": f"{RUN}/dense/initial_activations.safetensors",
}
# that network pruned by one method at one compression ratio
METHOD = f"{RUN}/{{regime}}/{{method}}"
UNIT = f"{METHOD}/x{{compression}}"
UNIT_NAME = "{dataset}-{model}-seed{seed}-{regime}-{method}"

NETWORKS = [(network["dataset"], network["model"]) for network in config["networks"]]
COMPRESSIONS = [f"{ratio:g}" for ratio in config["compressions"]]
METHODS = config["methods"]
LEARNED = [label for label in METHODS if METHODS[label]["method"] in PER_SPARSITY]
RANKED = [label for label in METHODS if label not in LEARNED]
# curvature in several jobs, each of which looks at some of the examples
PARTS = config["calibration"]["parts"]
SCATTERED = [
    label for label in RANKED if PARTS > 1 and METHODS[label]["method"] == "curvature"
]
PAIRS = [(regime, label) for label in METHODS for regime in METHODS[label]["regimes"]]
REGIMES = sorted({regime for regime, _ in PAIRS})


wildcard_constraints:
    # the experiment on path lengths may have a dataset of its own
    dataset="|".join(
        sorted({dataset for dataset, _ in NETWORKS} | {config["rgp_aspl"]["dataset"]})
    ),
    model="|".join(sorted({model for _, model in NETWORKS})),
    seed="|".join(str(seed) for seed in config["seeds"]),
    regime="|".join(REGIMES),
    method="|".join(METHODS),
    compression="|".join(COMPRESSIONS),


def batches():
    """Suffix of the rules' names -> the compression ratios whose units share one process."""
    size = config["compressions_per_job"]
    parts = [COMPRESSIONS[at : at + size] for at in range(0, len(COMPRESSIONS), size)]
    if len(parts) == 1:
        return {"": parts[0]}
    return {f"_{number}": part for number, part in enumerate(parts, 1)}
