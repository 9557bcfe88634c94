# methods that rank the weights once, for all compression ratios
rule score:
    input:
        unpack(scoring_files),
    output:
        scores=[passing(PATHS.ranking)],
        reports=[PATHS.ranking_report],
    log:
        PATHS.log("score", OF_METHOD),
    benchmark:
        PATHS.benchmark("score", OF_METHOD)
    wildcard_constraints:
        method=one_of(label for label in RANKED if label not in SCATTERED),
    group:
        "unit"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("score"),
    params:
        **scored_on("cpu", ratios=[]),
    script:
        "../scripts/score.py"


# Each job scores one part of the examples; `gather` joins the parts. The result is the same, for a
# minimum may be taken in any order.
rule score_part:
    input:
        unpack(scoring_files),
    output:
        temp(PATHS.part()),
    log:
        PATHS.log("score_part", f"{OF_METHOD}-{{part}}"),
    benchmark:
        PATHS.benchmark("score_part", f"{OF_METHOD}-{{part}}")
    wildcard_constraints:
        **scattered_part(),
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("score"),
    params:
        method=method_of,
        parts=PARTS,
    script:
        "../scripts/score_part.py"


rule gather:
    input:
        expand(PATHS.part(), part=range(PARTS), allow_missing=True),
    output:
        scores=[passing(PATHS.ranking)],
        reports=[PATHS.ranking_report],
    log:
        PATHS.log("gather", OF_METHOD),
    benchmark:
        PATHS.benchmark("gather", OF_METHOD)
    wildcard_constraints:
        method=one_of(SCATTERED),
    group:
        "unit"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("prune"),
    params:
        method=method_of,
    script:
        "../scripts/gather.py"


# methods whose result depends on the wanted sparsity: one run for each ratio
for suffix, ratios in BATCHES.items():

    rule:
        name:
            f"learn{suffix}"
        input:
            unpack(scoring_files),
        output:
            scores=[passing(path) for path in of_units(PATHS.scores, ratios)],
            reports=of_units(PATHS.scores_report, ratios),
        log:
            PATHS.log(f"units{suffix}", OF_METHOD),
        wildcard_constraints:
            method=one_of(LEARNED),
        group:
            "unit"
        conda:
            "../../envs/graphprune.yaml"
        resources:
            **asks("learn"),
        params:
            **scored_on(config["device"], ratios),
        script:
            "../scripts/score.py"
