# Functions that rules take their params from.

# keys that decide nothing that is recorded of a comparison
APART = ("tracking", "checkpoint_minutes")


def network_params(wildcards):
    """Params function: model and builder's options of the wildcards' network."""
    network = network_of(wildcards)
    return {"model": network["model"], "options": network["options"]}


def trained():
    """The params of a job that trains a dense network."""
    return {
        "device": config["device"],
        "network": network_params,
        "settings": settings("train"),
    }


def taken_over():
    """The params of a job that takes a network over which was trained elsewhere."""

    def of(key, empty):
        return lambda wildcards: network_of(wildcards).get(key, empty)

    return {
        "device": config["device"],
        "network": network_params,
        "checkpoint": of("checkpoint", ""),
        "sha256": of("sha256", ""),
        "preprocess": of("preprocess", {}),
        "remark": lambda wildcards: brought.remarks(network_of(wildcards)),
        "published": lambda wildcards: brought.published_accuracy(
            network_of(wildcards)
        ),
    }


def settings(section):
    """Params function: the ``train`` or ``finetune`` settings of the wildcards' network."""
    return lambda wildcards: training_of(config, network_of(wildcards), section)


def method_of(wildcards):
    """Params function: name and hyperparameters of the wildcards' method."""
    entry = METHODS[wildcards.method]
    return {"name": entry["method"], "options": options(entry)}


def scope_of(wildcards):
    return METHODS[wildcards.method]["scope"]


def graph_options():
    """Options of the neural graph, taken from the first method whose class names any."""
    for label, cls in CLASSES.items():
        if cls.graph_options:
            return {option: METHODS[label][option] for option in cls.graph_options}
    return {}


def scored_on(device, ratios):
    """The params of a job that runs a method; a GPU is only for one that trains."""
    return {"device": device, "method": method_of, "compressions": ratios}


def scattered_part():
    """The wildcards of a job that scores some of the examples."""
    return {"method": one_of(SCATTERED), "part": r"\d+"}


def recorded_settings(wildcards):
    """Params function: all settings of the wildcards' network, and by label those of its methods."""
    shared = {
        f"{section}/{key}": value
        for section in ("train", "finetune")
        for key, value in decisive(settings(section)(wildcards)).items()
    }
    shared |= {f"model/{k}": v for k, v in network_of(wildcards)["options"].items()}
    shared |= brought.recorded(network_of(wildcards))
    shared["device"] = config["device"]
    calibration = config["calibration"]["examples_per_class"]
    shared["calibration/examples_per_class"] = calibration
    methods = {
        label: {f"method/{k}": v for k, v in entry.items() if k != "regimes"}
        for label, entry in METHODS.items()
    }
    return {"shared": shared, "methods": methods}


def pruned(ratios):
    """The params of a job that makes masks; rescale: whether it also scales the kept weights."""
    return {
        "scope": scope_of,
        "rescale": lambda wildcards: in_scratch(wildcards)
        and config["scratch"]["rescale"],
        "compressions": ratios,
    }


def tuned(ratios):
    """The params of a job that trains pruned networks, or measures them."""
    return {
        "device": config["device"],
        "compressions": ratios,
        "train": settings("train"),
        "finetune": settings("finetune"),
    }


def recorded_params(seeds):
    """The params of a job that records the networks of these seeds."""
    return {
        "experiment": as_it_is(config["experiment"]),
        "store": STORE,
        "tracking": config["tracking"],
        "seeds": seeds,
        "model": lambda wildcards: network_of(wildcards)["model"],
        "published": lambda wildcards: brought.published_accuracy(
            network_of(wildcards)
        ),
        "settings": recorded_settings,
    }


def compared_params():
    """The params of the job that records the comparison: all that was configured for it."""
    return {
        "experiment": as_it_is(config["experiment"]),
        "store": STORE,
        "tracking": config["tracking"],
        "config": {key: config[key] for key in sorted(config) if key not in APART},
    }


def searched():
    """The params of the search for graphs of many path lengths: how many, and of which size."""
    experiment = config["rgp_aspl"]
    keys = ("nodes", "degree", "graphs", "evaluations")
    return {**{key: experiment[key] for key in keys}, "seed": experiment["seeds"][0]}
