for suffix, ratios in batches().items():

    rule:
        name:
            f"finetune{suffix}"
        input:
            data=DATA,
            masks=of_units("mask.safetensors", ratios),
            pruned=of_units("pruned.safetensors", ratios),
        output:
            finetuned=of_units("finetuned.safetensors", ratios),
            histories=of_units("history.csv", ratios),
        log:
            f"{RESULTS}/logs/finetune{suffix}/{{dataset}}-{{model}}-seed{{seed}}-{{method}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/finetune{suffix}/{{dataset}}-{{model}}-seed{{seed}}-{{method}}.tsv"
        conda:
            "../../envs/graphprune.yaml"
        params:
            settings=settings("finetune"),
        script:
            "../scripts/finetune.py"
