for suffix, ratios in batches().items():

    rule:
        name:
            f"prune{suffix}"
        input:
            checkpoint=start_of,
            scores=scores_at(ratios),
        output:
            masks=of_units(PATHS.mask, ratios),
            pruned=of_units(PATHS.pruned, ratios),
        log:
            PATHS.log(f"prune{suffix}", OF_METHOD),
        benchmark:
            PATHS.benchmark(f"prune{suffix}", OF_METHOD)
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
