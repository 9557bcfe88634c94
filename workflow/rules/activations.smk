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
    group:
        "dense"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("activations"),
        runtime=minutes("activations"),
    params:
        per_class=config["calibration"]["examples_per_class"],
        correct=True,
    script:
        "../scripts/activations.py"


# for methods that look at the untrained network, which classifies hardly anything correctly
use rule activations as initial_activations with:
    input:
        data=DATA,
        checkpoint=INITIAL,
    output:
        EXAMPLES["scratch"],
    log:
        f"{RESULTS}/logs/initial_activations/{{dataset}}-{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/initial_activations/{{dataset}}-{{model}}-seed{{seed}}.tsv"
    params:
        per_class=config["calibration"]["examples_per_class"],
        correct=False,
