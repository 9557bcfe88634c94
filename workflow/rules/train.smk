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
    conda:
        "../../envs/graphprune.yaml"
    params:
        settings=settings("train"),
    script:
        "../scripts/train.py"
