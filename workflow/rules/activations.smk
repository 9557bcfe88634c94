rule activations:
    input:
        data=DATA,
        checkpoint=CHECKPOINT,
    output:
        CALIBRATION,
    log:
        f"{RESULTS}/logs/activations/{{dataset}}-{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/activations/{{dataset}}-{{model}}-seed{{seed}}.tsv"
    conda:
        "../../envs/graphprune.yaml"
    params:
        per_class=config["calibration"]["examples_per_class"],
    script:
        "../scripts/activations.py"
