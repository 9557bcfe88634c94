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
        method="|".join(label for label in RANKED if label not in SCATTERED) or "(?!)",
    group:
        "unit"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("score"),
        runtime=minutes("score"),
    params:
        # a GPU is for what trains
        device="cpu",
        method=method_of,
        compressions=[],
    script:
        "../scripts/score.py"


# one part of the examples, and all parts together: a minimum may be taken in any order
rule score_part:
    input:
        unpack(examples_of),
        checkpoint=start_of,
    output:
        temp(f"{METHOD}/parts/{{part}}.safetensors"),
    log:
        f"{RESULTS}/logs/score_part/{UNIT_NAME}-{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score_part/{UNIT_NAME}-{{part}}.tsv"
    wildcard_constraints:
        method="|".join(SCATTERED) or "(?!)",
        part=r"\d+",
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("score"),
        runtime=minutes("score"),
    params:
        method=method_of,
        parts=PARTS,
    script:
        "../scripts/score_part.py"


rule gather:
    input:
        expand(
            f"{METHOD}/parts/{{part}}.safetensors",
            part=range(PARTS),
            allow_missing=True,
        ),
    output:
        f"{METHOD}/scores.safetensors",
    log:
        f"{RESULTS}/logs/gather/{UNIT_NAME}.log",
    benchmark:
        f"{RESULTS}/benchmarks/gather/{UNIT_NAME}.tsv"
    wildcard_constraints:
        method="|".join(SCATTERED) or "(?!)",
    group:
        "unit"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("prune"),
        runtime=minutes("prune"),
    script:
        "../scripts/gather.py"


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
            gpu=gpus,
            runtime=minutes("learn"),
        params:
            device=config["device"],
            method=method_of,
            compressions=ratios,
        script:
            "../scripts/score.py"
