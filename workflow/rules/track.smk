# the store is created once, before any job records: MLflow's migrations bear one process only
rule store:
    output:
        f"{RESULTS}/tracking/store.json",
    log:
        f"{RESULTS}/logs/store.log",
    benchmark:
        f"{RESULTS}/benchmarks/store.tsv"
    conda:
        "../../envs/graphprune.yaml"
    params:
        results=RESULTS,
        experiment=config["experiment"],
        store=STORE,
    script:
        "../scripts/store.py"


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


rule track:
    input:
        store=rules.store.output,
        checkpoint=CHECKPOINT,
        history=rules.train.output.history,
        activations=CALIBRATION,
        graph=rules.graph.output,
        scores=score_files,
        removal=expand(
            f"{RUN}/{{method}}/removal.csv", method=CURVATURE, allow_missing=True
        ),
        metrics=all_units("metrics.json"),
        figures=all_units("figure.png"),
        finetuned=all_units("finetuned.safetensors"),
        masks=all_units("mask.safetensors"),
    output:
        f"{RESULTS}/tracking/{{dataset}}-{{model}}-seed{{seed}}.json",
    log:
        f"{RESULTS}/logs/track/{{dataset}}-{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/track/{{dataset}}-{{model}}-seed{{seed}}.tsv"
    conda:
        "../../envs/graphprune.yaml"
    params:
        results=RESULTS,
        experiment=config["experiment"],
        store=STORE,
        settings=recorded_settings,
    script:
        "../scripts/track.py"


rule track_comparison:
    input:
        store=rules.store.output,
        units=of_networks(rules.track.output[0]),
        tables=[rules.compare.output.csv, rules.compare.output.parquet],
        figures=FIGURES,
        report=rules.report.output,
    output:
        f"{RESULTS}/tracking/comparison.json",
    log:
        f"{RESULTS}/logs/track_comparison.log",
    benchmark:
        f"{RESULTS}/benchmarks/track_comparison.tsv"
    conda:
        "../../envs/graphprune.yaml"
    params:
        results=RESULTS,
        experiment=config["experiment"],
        store=STORE,
    script:
        "../scripts/track_comparison.py"
