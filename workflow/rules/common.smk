import hashlib
import json
import os
import re
import sys
from pathlib import Path

# the package beside this workflow, installed or not
sys.path.insert(0, str(Path(workflow.basedir)))

from snakemake.logging import logger
from snakemake_interface_executor_plugins.settings import ExecMode

from graphprune.configuration import brought, needs
from graphprune.configuration.complete import complete, options
from graphprune.configuration.left_out import labels_without, left_out, sentences
from graphprune.configuration.plan import training_of
from graphprune.configuration.reading import read
from graphprune.errors import UserError
from graphprune.layout import (
    MethodPaths,
    NetworkPaths,
    UnitPaths,
    check_format,
    ratio_text,
)
from graphprune.methods.catalog import METHODS as KNOWN_METHODS
from graphprune.methods.catalog import build, method_class
from graphprune.pretrained.source import Source
from graphprune.training.settings import decisive


def checked(config):
    """The completed configuration; an error in it ends Snakemake with one line."""
    # Snakemake has read these files already, but it accepts a key that stands twice
    files = [*workflow.overwrite_configfiles, *workflow.configfiles]
    try:
        for path in files:
            read(path)
        full = complete(config, Path(files[-1]).parent if files else None)
        check_format(full["results"])
        return full
    except UserError as error:
        logger.error(str(error))
        sys.exit(1)


config = checked(config)
# the processes of single jobs need not say it again
if workflow.exec_mode == ExecMode.DEFAULT:
    for remark in filter(None, map(brought.remarks, config["networks"])):
        logger.warning(remark)

RESULTS = config["results"]
# every file of a unit, of its method and of its network, by name; the wildcards stay open
PATHS = UnitPaths(RESULTS)
# names of the logs of jobs that work on one network, and on one method of one network
OF_NETWORK = NetworkPaths(RESULTS).job
OF_METHOD = MethodPaths(RESULTS).method_job
# With another MLflow store everything is recorded again. A digest, for a URI may hold a password.
STORE = hashlib.sha256(os.environ.get("MLFLOW_TRACKING_URI", "").encode()).hexdigest()[
    :16
]
# the network and the examples that a method sees in each regime
START = {"finetune": PATHS.checkpoint, "scratch": PATHS.initial}
EXAMPLES = {"finetune": PATHS.activations, "scratch": PATHS.initial_activations}

NETWORKS = {(one["dataset"], one["name"]): one for one in config["networks"]}
# networks that were trained elsewhere, and those that are trained here
BROUGHT = [pair for pair, one in NETWORKS.items() if brought.is_brought(one)]
TRAINED = [pair for pair in NETWORKS if pair not in BROUGHT]
SOURCES = {pair: Source.of(NETWORKS[pair]["checkpoint"]) for pair in BROUGHT}
PUBLISHED = {one.in_paths: one for one in SOURCES.values() if one.published}
COMPRESSIONS = [ratio_text(ratio) for ratio in sorted(config["compressions"])]
METHODS = config["methods"]
CLASSES = {label: method_class(entry["method"]) for label, entry in METHODS.items()}
# methods that run once for each ratio, and methods that rank the weights once for all ratios
LEARNED = [label for label in METHODS if CLASSES[label].per_sparsity]
RANKED = [label for label in METHODS if label not in LEARNED]
# methods that are scored in several jobs, each of which looks at some of the examples
PARTS = config["calibration"]["parts"]
SCATTERED = [label for label in RANKED if PARTS > 1 and CLASSES[label].divisible]
PAIRS = [(regime, label) for label in METHODS for regime in METHODS[label]["regimes"]]
REGIMES = sorted({regime for regime, _ in PAIRS})
# (dataset, network, label) of methods that cannot score a network: these units are left out
LEFT_OUT = left_out(config)
WITHOUT = {pair: labels_without(LEFT_OUT, *pair) for pair in NETWORKS}
# networks whose neural graph, and those whose activations, a method looks at
GRAPHED = [pair for pair in NETWORKS if needs.needs_graph(config, WITHOUT[pair])]
LOOKED_AT = [
    pair for pair in NETWORKS if needs.needs_activations(config, WITHOUT[pair])
]
if workflow.exec_mode == ExecMode.DEFAULT:
    for sentence in sentences(LEFT_OUT):
        logger.warning(sentence)


def one_of(names):
    """A regular expression that matches any of the names; nothing if there are none."""
    return "|".join(re.escape(str(name)) for name in names) or "(?!)"


def among(pairs):
    """A regular expression for the wildcard `network` of paths that are of one of the ``pairs``.

    The dataset stands before the network, and one name may be another network's there.
    """
    each = (f"(?<=/{re.escape(one)}/){re.escape(name)}" for one, name in pairs)
    return "|".join(each) or "(?!)"


wildcard_constraints:
    # the experiment on path lengths may have a dataset of its own
    dataset=one_of(
        sorted({dataset for dataset, _ in NETWORKS} | {config["rgp_aspl"]["dataset"]})
    ),
    network=one_of(sorted({name for _, name in NETWORKS})),
    seed=one_of(config["seeds"]),
    regime=one_of(REGIMES),
    method=one_of(METHODS),
    compression=one_of(COMPRESSIONS),
