# methods that rank the weights once, for all compression ratios
rule score:
    input:
        unpack(examples_of),
        checkpoint=start_of,
    output:
        f"{METHOD}/scores.safetensors",
    log:
        f"{RESULTS}/logs/score/{UNIT_NAME}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score/{UNIT_NAME}.tsv"
    wildcard_constraints:
        method="|".join(RANKED) or "(?!)",
    group:
        "unit"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("score"),
        runtime=minutes("score"),
    params:
        method=method_of,
        compressions=[],
    script:
        "../scripts/score.py"


# methods whose result depends on the wanted sparsity
for suffix, ratios in batches().items():

    rule:
        name:
            f"learn{suffix}"
        input:
            unpack(examples_of),
            checkpoint=start_of,
        output:
            of_units("scores.safetensors", ratios),
        log:
            f"{RESULTS}/logs/learn{suffix}/{UNIT_NAME}.log",
        benchmark:
            f"{RESULTS}/benchmarks/learn{suffix}/{UNIT_NAME}.tsv"
        wildcard_constraints:
            method="|".join(LEARNED) or "(?!)",
        group:
            "unit"
        conda:
            "../../envs/graphprune.yaml"
        resources:
            mem_mb=memory("learn"),
            runtime=minutes("learn"),
        params:
            method=method_of,
            compressions=ratios,
        script:
            "../scripts/score.py"
