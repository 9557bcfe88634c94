rule graph:
    input:
        checkpoint=PATHS.checkpoint,
        activations=PATHS.activations,
    output:
        summary=PATHS.graph_summary,
        graph=PATHS.graph,
    log:
        PATHS.log("graph", OF_NETWORK),
    benchmark:
        PATHS.benchmark("graph", OF_NETWORK)
    group:
        "dense"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("graph"),
    params:
        max_edges=config["graph"]["max_edges"],
        options=graph_options(),
    script:
        "../scripts/graph.py"
