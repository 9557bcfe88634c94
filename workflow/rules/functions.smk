# Functions that rules take their files and params from.


def of_units(name, compressions=COMPRESSIONS):
    """The file ``name`` of the unit at every one of the ratios; other wildcards stay."""
    return expand(f"{UNIT}/{name}", compression=compressions, allow_missing=True)


def of_networks(pattern, **wildcards):
    """``pattern`` for every network and seed of the configuration."""
    return [
        path
        for dataset, model in NETWORKS
        for path in expand(
            pattern, dataset=dataset, model=model, seed=config["seeds"], **wildcards
        )
    ]


def of_methods(pattern, pairs=PAIRS, **wildcards):
    """``pattern`` for every regime and method among ``pairs``; other wildcards stay."""
    return [
        path
        for regime, method in pairs
        for path in expand(
            pattern, regime=regime, method=method, allow_missing=True, **wildcards
        )
    ]


def using(name, regimes=REGIMES):
    """The pairs of regime and label, among ``regimes``, whose method is ``name``."""
    return [
        (regime, label)
        for regime, label in PAIRS
        if METHODS[label]["method"] == name and regime in regimes
    ]


def settings(section):
    """Params function: the ``train`` or ``finetune`` settings of the wildcards' network."""

    def of(wildcards):
        network = next(
            network
            for network in config["networks"]
            if (network["dataset"], network["model"])
            == (wildcards.dataset, wildcards.model)
        )
        return {**config[section], **network.get(section, {})}

    return of


def method_of(wildcards):
    """Params function: name and hyperparameters of the wildcards' method."""
    entry = METHODS[wildcards.method]
    return {"name": entry["method"], "options": options(entry)}


def scope_of(wildcards):
    return METHODS[wildcards.method]["scope"]


def examples_of(wildcards):
    """Input function: the file of examples that the wildcards' method looks at, if any."""
    name = METHODS[wildcards.method]["method"]
    calibration = {"calibration": EXAMPLES[wildcards.regime]}
    files = {"curvature": calibration, "probmask": {"data": DATA}}
    return {key: path.format(**wildcards) for key, path in files.get(name, {}).items()}


def start_of(wildcards):
    """Input function: the network that the wildcards' regime begins with."""
    return START[wildcards.regime].format(**wildcards)


def scores_at(ratios):
    """Input function: the scores that the masks at ``ratios`` are made from."""

    def of(wildcards):
        ranked = [f"{METHOD}/scores.safetensors"]
        learned = of_units("scores.safetensors", ratios)
        paths = learned if wildcards.method in LEARNED else ranked
        return [path.format(**wildcards) for path in paths]

    return of


def recorded_settings(wildcards):
    """Params function: all that was configured for the wildcards' network, by method label."""
    shared = {
        f"{section}/{key}": value
        for section in ("train", "finetune")
        for key, value in settings(section)(wildcards).items()
    }
    shared["device"] = config["device"]
    shared["calibration/examples_per_class"] = config["calibration"][
        "examples_per_class"
    ]
    own = {
        label: {f"method/{k}": v for k, v in METHODS[label].items() if k != "regimes"}
        for label in METHODS
    }
    return {"shared": shared, "methods": own}


def score_files():
    """Every score file of a network."""
    ranked = [pair for pair in PAIRS if pair[1] in RANKED]
    learned = [pair for pair in PAIRS if pair[1] in LEARNED]
    patterns = of_methods(f"{METHOD}/scores.safetensors", ranked)
    return patterns + of_methods(
        f"{UNIT}/scores.safetensors", learned, compression=COMPRESSIONS
    )


def record_batches():
    """Suffix of the rules' names -> the seeds whose records share one process.

    Opening MLflow takes longer than recording a small network. Where every unit is a job of its own
    because trainings are long, every network is recorded as soon as it is finished.
    """
    if config["compressions_per_job"] == 1:
        return {f"_seed{seed}": [seed] for seed in config["seeds"]}
    return {"": config["seeds"]}


def of_seeds(patterns, seeds):
    return expand(patterns, seed=seeds, allow_missing=True)


def all_units(name):
    """The file ``name`` of every unit of a network."""
    return of_methods(f"{UNIT}/{name}", compression=COMPRESSIONS)


def of_each_network(pattern, **wildcards):
    return [
        path
        for dataset, model in NETWORKS
        for path in expand(pattern, dataset=dataset, model=model, **wildcards)
    ]


def drawn(name, caption, **labels):
    """A figure as PNG, shown in the report, and as SVG beside it."""
    group = labels.pop("group")
    caption = f"../report/{caption}.rst"
    png = f"{RESULTS}/figures/{name}.png"
    shown = report(
        png, caption=caption, category="Figures", subcategory=group, labels=labels
    )
    return [shown, f"{RESULTS}/figures/{name}.svg"]
