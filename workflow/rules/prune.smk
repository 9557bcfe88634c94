for suffix, ratios in batches().items():

    rule:
        name:
            f"prune{suffix}"
        input:
            checkpoint=start_of,
            scores=scores_at(ratios),
        output:
            masks=of_units("mask.safetensors", ratios),
            pruned=of_units("pruned.safetensors", ratios),
        log:
            f"{RESULTS}/logs/prune{suffix}/{UNIT_NAME}.log",
        benchmark:
            f"{RESULTS}/benchmarks/prune{suffix}/{UNIT_NAME}.tsv"
        group:
            "unit"
        conda:
            "../../envs/graphprune.yaml"
        resources:
            mem_mb=memory("prune"),
            runtime=minutes("prune"),
        params:
            scope=scope_of,
            rescale=lambda wildcards: wildcards.regime == "scratch"
            and config["scratch"]["rescale"],
            compressions=ratios,
        script:
            "../scripts/prune.py"
