for suffix, ratios in batches().items():

    rule:
        name:
            f"finetune{suffix}"
        input:
            data=DATA,
            scores=scores_at(ratios),
            masks=of_units("mask.safetensors", ratios),
            pruned=of_units("pruned.safetensors", ratios),
        output:
            finetuned=of_units("finetuned.safetensors", ratios),
            histories=of_units("history.csv", ratios),
        log:
            f"{RESULTS}/logs/finetune{suffix}/{UNIT_NAME}.log",
        benchmark:
            f"{RESULTS}/benchmarks/finetune{suffix}/{UNIT_NAME}.tsv"
        group:
            "unit"
        conda:
            "../../envs/graphprune.yaml"
        resources:
            mem_mb=memory("finetune"),
            gpu=gpus,
            runtime=minutes("finetune"),
        params:
            device=config["device"],
            results=lambda wildcards: RESULTS,
            train=settings("train"),
            finetune=settings("finetune"),
        script:
            "../scripts/finetune.py"
