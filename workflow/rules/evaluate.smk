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
            f"{RESULTS}/logs/evaluate{suffix}/{UNIT_NAME}.log",
        benchmark:
            f"{RESULTS}/benchmarks/evaluate{suffix}/{UNIT_NAME}.tsv"
        group:
            "unit"
        conda:
            "../../envs/graphprune.yaml"
        resources:
            mem_mb=memory("evaluate"),
            gpu=gpus,
            runtime=minutes("evaluate"),
        params:
            device=config["device"],
            compressions=ratios,
            train=settings("train"),
        script:
            "../scripts/evaluate.py"


# accuracy while weights go one way or the other, most positive or most negative curvature first
rule removal:
    input:
        data=DATA,
        checkpoint=CHECKPOINT,
        scores=f"{METHOD}/scores.safetensors",
    output:
        f"{METHOD}/removal.csv",
    log:
        f"{RESULTS}/logs/removal/{UNIT_NAME}.log",
    benchmark:
        f"{RESULTS}/benchmarks/removal/{UNIT_NAME}.tsv"
    wildcard_constraints:
        regime="finetune",
    group:
        "unit"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("removal"),
        gpu=gpus,
        runtime=minutes("removal"),
    params:
        device=config["device"],
    script:
        "../scripts/removal.py"
