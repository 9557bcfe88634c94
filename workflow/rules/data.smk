rule data:
    output:
        DATA,
    log:
        f"{RESULTS}/logs/data/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/data/{{dataset}}.tsv"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("data"),
        runtime=minutes("data"),
    params:
        folder=config["data"]["folder"],
        download=config["data"]["download"],
    script:
        "../scripts/data.py"
