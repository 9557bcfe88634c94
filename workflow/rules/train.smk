rule train:
    input:
        data=DATA,
    output:
        initial=INITIAL,
        checkpoint=CHECKPOINT,
        history=f"{RUN}/dense/history.csv",
    log:
        f"{RESULTS}/logs/train/{{dataset}}-{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{dataset}}-{{model}}-seed{{seed}}.tsv"
    group:
        "dense"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("train"),
        gpu=gpus,
        runtime=minutes("train"),
    params:
        device=config["device"],
        results=lambda wildcards: RESULTS,
        settings=settings("train"),
    script:
        "../scripts/train.py"
