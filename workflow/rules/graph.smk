rule graph:
    input:
        checkpoint=CHECKPOINT,
        activations=CALIBRATION,
    output:
        summary=f"{RUN}/dense/graph.json",
        graph=f"{RUN}/dense/graph.gt.zst",
    log:
        f"{RESULTS}/logs/graph/{{dataset}}-{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/graph/{{dataset}}-{{model}}-seed{{seed}}.tsv"
    conda:
        "../../envs/graphprune.yaml"
    params:
        max_edges=config["graph"]["max_edges"],
    script:
        "../scripts/graph.py"
