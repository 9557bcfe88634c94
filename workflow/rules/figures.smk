FIRST_SEED = config["seeds"][0]
NETWORK = "{dataset}-{network}"


rule figure_comparison:
    input:
        units=rules.compare.output.parquet,
    output:
        **figures_of_all(),
    log:
        PATHS.log("figure_comparison"),
    benchmark:
        PATHS.benchmark("figure_comparison")
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("figures"),
    script:
        "../scripts/figure_comparison.py"


rule figure_density:
    input:
        layers=rules.compare.output.layers,
    output:
        drawn(
            f"density-{NETWORK}-{{regime}}",
            "density",
            figure="density of the layers, regime {regime}",
        ),
    log:
        PATHS.log("figure_density", f"{NETWORK}-{{regime}}"),
    benchmark:
        PATHS.benchmark("figure_density", f"{NETWORK}-{{regime}}")
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("figures"),
    script:
        "../scripts/figure_density.py"


# histogram of the scores of one seed, removal curves of all
rule figure_removal:
    input:
        scores=of_trained(PATHS.ranking, seed=FIRST_SEED),
        removal=of_trained(PATHS.removal, seed=config["seeds"]),
    output:
        **figures_of_removal(),
    log:
        PATHS.log("figure_removal", f"{{method}}-{NETWORK}"),
    benchmark:
        PATHS.benchmark("figure_removal", f"{{method}}-{NETWORK}")
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("figures"),
    script:
        "../scripts/figure_removal.py"


# how far from 0 and 1 the keep probabilities are at the end
rule figure_probabilities:
    input:
        metrics_of_seeds_and_ratios,
    output:
        drawn(
            f"probabilities-{{method}}-{NETWORK}-{{regime}}",
            "probabilities",
            figure="keep probabilities of {method}, regime {regime}",
        ),
    log:
        PATHS.log("figure_probabilities", f"{{method}}-{NETWORK}-{{regime}}"),
    benchmark:
        PATHS.benchmark("figure_probabilities", f"{{method}}-{NETWORK}-{{regime}}")
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("figures"),
    script:
        "../scripts/figure_probabilities.py"


rule figure_regular_graph:
    input:
        report=middle_report,
    output:
        drawn(f"graph-{{method}}-{NETWORK}", "rgp", figure="graph of {method}"),
    log:
        PATHS.log("figure_regular_graph", f"{{method}}-{NETWORK}"),
    benchmark:
        PATHS.benchmark("figure_regular_graph", f"{{method}}-{NETWORK}")
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("figures"),
    params:
        method=method_of,
        seed=FIRST_SEED,
    script:
        "../scripts/figure_regular_graph.py"


rule figure_neural_graph:
    input:
        graph=expand(PATHS.graph, seed=FIRST_SEED, allow_missing=True),
    output:
        drawn(f"neural_graph-{NETWORK}", "neural_graph", figure="neural graph"),
    log:
        PATHS.log("figure_neural_graph", NETWORK),
    benchmark:
        PATHS.benchmark("figure_neural_graph", NETWORK)
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("figures"),
    script:
        "../scripts/figure_neural_graph.py"


# a figure of one unit, drawn only where it is asked for by its path
rule figure_unit:
    input:
        metrics=PATHS.metrics,
        history=PATHS.history,
    output:
        PATHS.unit_figure,
    log:
        PATHS.log("figure_unit", f"{OF_METHOD}-x{{compression}}"),
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("figures"),
    script:
        "../scripts/figure_unit.py"


FIGURES = [
    *rules.figure_comparison.output,
    *of_each_network(rules.figure_density.output, regime=REGIMES),
    *of_each_network(rules.figure_neural_graph.output, GRAPHED),
    *of_each_network(
        rules.figure_removal.output,
        method=[label for _, label in with_figure("removal_curves", ["finetune"])],
    ),
    *[
        path
        for regime, label in with_figure("probabilities")
        for path in of_each_network(
            rules.figure_probabilities.output, regime=regime, method=label
        )
    ],
    *of_each_network(
        rules.figure_regular_graph.output,
        method=sorted({label for _, label in with_figure("regular_graph")}),
    ),
]
