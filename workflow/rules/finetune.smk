for suffix, ratios in batches().items():

    rule:
        name:
            f"finetune{suffix}"
        input:
            **unit_files(ratios, "masks", "pruned"),
            data=PATHS.dataset(),
            scores=scores_at(ratios),
        output:
            finetuned=of_units(PATHS.finetuned, ratios),
            histories=of_units(PATHS.history, ratios),
        log:
            PATHS.log(f"finetune{suffix}", OF_METHOD),
        benchmark:
            PATHS.benchmark(f"finetune{suffix}", OF_METHOD)
        group:
            "unit"
        conda:
            "../../envs/graphprune.yaml"
        resources:
            **asks("finetune"),
        params:
            **tuned(ratios),
        script:
            "../scripts/finetune.py"
