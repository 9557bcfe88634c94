def scores_at(ratios):
    """Input function: the scores that the masks at ``ratios`` are made from."""

    def of(wildcards):
        ranked = [f"{RUN}/{{method}}/scores.safetensors"]
        learned = of_units("scores.safetensors", ratios)
        paths = learned if wildcards.method in LEARNED else ranked
        return [path.format(**wildcards) for path in paths]

    return of


for suffix, ratios in batches().items():

    rule:
        name:
            f"prune{suffix}"
        input:
            checkpoint=CHECKPOINT,
            scores=scores_at(ratios),
        output:
            masks=of_units("mask.safetensors", ratios),
            pruned=of_units("pruned.safetensors", ratios),
        log:
            f"{RESULTS}/logs/prune{suffix}/{{dataset}}-{{model}}-seed{{seed}}-{{method}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/prune{suffix}/{{dataset}}-{{model}}-seed{{seed}}-{{method}}.tsv"
        conda:
            "../../envs/graphprune.yaml"
        params:
            scope=scope_of,
            compressions=ratios,
        script:
            "../scripts/prune.py"
