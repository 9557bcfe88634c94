for suffix, ratios in batches().items():

    rule:
        name:
            f"evaluate{suffix}"
        input:
            data=DATA,
            checkpoint=CHECKPOINT,
            scores=scores_at(ratios),
            masks=of_units("mask.safetensors", ratios),
            pruned=of_units("pruned.safetensors", ratios),
            finetuned=of_units("finetuned.safetensors", ratios),
            histories=of_units("history.csv", ratios),
        output:
            of_units("metrics.json", ratios),
        log:
            f"{RESULTS}/logs/evaluate{suffix}/{{dataset}}-{{model}}-seed{{seed}}-{{method}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/evaluate{suffix}/{{dataset}}-{{model}}-seed{{seed}}-{{method}}.tsv"
        conda:
            "../../envs/graphprune.yaml"
        params:
            compressions=ratios,
        script:
            "../scripts/evaluate.py"


# accuracy while weights go one way or the other, most positive or most negative curvature first
rule removal:
    input:
        data=DATA,
        checkpoint=CHECKPOINT,
        scores=f"{RUN}/{{method}}/scores.safetensors",
    output:
        f"{RUN}/{{method}}/removal.csv",
    log:
        f"{RESULTS}/logs/removal/{{dataset}}-{{model}}-seed{{seed}}-{{method}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/removal/{{dataset}}-{{model}}-seed{{seed}}-{{method}}.tsv"
    wildcard_constraints:
        method="|".join(CURVATURE) or "(?!)",
    conda:
        "../../envs/graphprune.yaml"
    script:
        "../scripts/removal.py"
