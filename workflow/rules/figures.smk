FIRST_SEED = config["seeds"][0]
NETWORK = "{dataset}-{model}"


rule figure_comparison:
    input:
        units=rules.compare.output.parquet,
    output:
        pruned=drawn(
            "accuracy_pruned",
            "accuracy_pruned",
            group="Comparison",
            figure="before fine-tuning",
        ),
        finetuned=drawn(
            "accuracy_finetuned",
            "accuracy_finetuned",
            group="Comparison",
            figure="after fine-tuning",
        ),
        cost=drawn("scoring_cost", "cost", group="Comparison", figure="time to score"),
        savings=drawn(
            "cost",
            "savings",
            group="Comparison",
            figure="FLOPs, file size and latency",
        ),
    log:
        f"{RESULTS}/logs/figure_comparison.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_comparison.tsv"
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("figures"),
        runtime=minutes("figures"),
    script:
        "../scripts/figure_comparison.py"


rule figure_density:
    input:
        layers=rules.compare.output.layers,
    output:
        drawn(
            f"density-{NETWORK}-{{regime}}",
            "density",
            group="{dataset} {model}",
            figure="density of the layers, regime {regime}",
        ),
    log:
        f"{RESULTS}/logs/figure_density/{NETWORK}-{{regime}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_density/{NETWORK}-{{regime}}.tsv"
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("figures"),
        runtime=minutes("figures"),
    script:
        "../scripts/figure_density.py"


rule figure_curvature:
    input:
        scores=expand(
            f"{METHOD}/scores.safetensors",
            seed=FIRST_SEED,
            regime="finetune",
            allow_missing=True,
        ),
        removal=expand(
            f"{METHOD}/removal.csv",
            seed=config["seeds"],
            regime="finetune",
            allow_missing=True,
        ),
    output:
        histogram=drawn(
            f"histogram-{{method}}-{NETWORK}",
            "curvature",
            group="{dataset} {model}",
            figure="histogram of {method}",
        ),
        removal=drawn(
            f"removal-{{method}}-{NETWORK}",
            "removal",
            group="{dataset} {model}",
            figure="removal by {method}",
        ),
    log:
        f"{RESULTS}/logs/figure_curvature/{{method}}-{NETWORK}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_curvature/{{method}}-{NETWORK}.tsv"
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("figures"),
        runtime=minutes("figures"),
    script:
        "../scripts/figure_curvature.py"


# how far from 0 and 1 ProbMask's probabilities ended
rule figure_probabilities:
    input:
        lambda wildcards: [
            f"{UNIT}/metrics.json".format(**wildcards, seed=seed, compression=ratio)
            for seed in config["seeds"]
            for ratio in COMPRESSIONS
        ],
    output:
        drawn(
            f"probabilities-{{method}}-{NETWORK}-{{regime}}",
            "probabilities",
            group="{dataset} {model}",
            figure="keep probabilities of {method}, regime {regime}",
        ),
    log:
        f"{RESULTS}/logs/figure_probabilities/{{method}}-{NETWORK}-{{regime}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_probabilities/{{method}}-{NETWORK}-{{regime}}.tsv"
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("figures"),
        runtime=minutes("figures"),
    script:
        "../scripts/figure_probabilities.py"


rule figure_regular_graph:
    input:
        scores=lambda wildcards: f"{UNIT}/scores.safetensors".format(
            **wildcards,
            seed=FIRST_SEED,
            regime=METHODS[wildcards.method]["regimes"][0],
            compression=COMPRESSIONS[len(COMPRESSIONS) // 2],
        ),
    output:
        drawn(
            f"graph-{{method}}-{NETWORK}",
            "rgp",
            group="{dataset} {model}",
            figure="graph of {method}",
        ),
    log:
        f"{RESULTS}/logs/figure_regular_graph/{{method}}-{NETWORK}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_regular_graph/{{method}}-{NETWORK}.tsv"
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("figures"),
        runtime=minutes("figures"),
    params:
        method=method_of,
        seed=FIRST_SEED,
    script:
        "../scripts/figure_regular_graph.py"


rule figure_neural_graph:
    input:
        graph=expand(rules.graph.output.graph, seed=FIRST_SEED, allow_missing=True),
    output:
        drawn(
            f"neural_graph-{NETWORK}",
            "neural_graph",
            group="{dataset} {model}",
            figure="neural graph",
        ),
    log:
        f"{RESULTS}/logs/figure_neural_graph/{NETWORK}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_neural_graph/{NETWORK}.tsv"
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("figures"),
        runtime=minutes("figures"),
    script:
        "../scripts/figure_neural_graph.py"


# small ones for MLflow, one a unit, all those of a network in one process
rule figure_units:
    input:
        metrics=all_units("metrics.json"),
        histories=all_units("history.csv"),
    output:
        all_units("figure.png"),
    log:
        f"{RESULTS}/logs/figure_units/{{dataset}}-{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_units/{{dataset}}-{{model}}-seed{{seed}}.tsv"
    group:
        "record"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("figures"),
        runtime=minutes("figures"),
    script:
        "../scripts/figure_units.py"


FIGURES = [
    *rules.figure_comparison.output,
    *of_each_network(rules.figure_density.output, regime=REGIMES),
    *of_each_network(rules.figure_neural_graph.output),
    *of_each_network(
        rules.figure_curvature.output,
        method=[label for _, label in using("curvature", ["finetune"])],
    ),
    *[
        path
        for regime, label in using("probmask")
        for path in of_each_network(
            rules.figure_probabilities.output, regime=regime, method=label
        )
    ],
    *of_each_network(
        rules.figure_regular_graph.output,
        method=sorted({label for _, label in using("rgp")}),
    ),
]
