for suffix, ratios in BATCHES.items():

    rule:
        name:
            f"finetune{suffix}"
        input:
            **unit_files(ratios, "masks"),
            checkpoint=start_of,
            data=PATHS.dataset(),
            reports=reports_at(ratios),
        output:
            finetuned=of_units(PATHS.finetuned, ratios),
            histories=of_units(PATHS.history, ratios),
        log:
            PATHS.log(f"units{suffix}", OF_METHOD),
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
