for suffix, ratios in BATCHES.items():

    rule:
        name:
            f"prune{suffix}"
        input:
            checkpoint=start_of,
            scores=scores_at(ratios),
        output:
            of_units(PATHS.mask, ratios),
        log:
            PATHS.log(f"units{suffix}", OF_METHOD),
        group:
            "unit"
        conda:
            "../../envs/graphprune.yaml"
        resources:
            **asks("prune"),
        params:
            **pruned(ratios),
        script:
            "../scripts/prune.py"
