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
    files = {"curvature": {"calibration": CALIBRATION}, "probmask": {"data": DATA}}
    return {key: path.format(**wildcards) for key, path in files.get(name, {}).items()}


def scores_at(ratios):
    """Input function: the scores that the masks at ``ratios`` are made from."""

    def of(wildcards):
        ranked = [f"{RUN}/{{method}}/scores.safetensors"]
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
    shared["calibration/examples_per_class"] = config["calibration"][
        "examples_per_class"
    ]
    own = {
        label: {f"method/{k}": v for k, v in METHODS[label].items()}
        for label in METHODS
    }
    return {"shared": shared, "methods": own}


def score_files(wildcards):
    """Input function: every score file of the wildcards' network."""
    patterns = expand(
        f"{RUN}/{{method}}/scores.safetensors", method=RANKED, allow_missing=True
    )
    patterns += expand(
        f"{UNIT}/scores.safetensors",
        method=LEARNED,
        compression=COMPRESSIONS,
        allow_missing=True,
    )
    return [pattern.format(**wildcards) for pattern in patterns]


def all_units(name):
    """The file ``name`` of every unit of a network."""
    return expand(
        f"{UNIT}/{name}",
        method=list(METHODS),
        compression=COMPRESSIONS,
        allow_missing=True,
    )


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
