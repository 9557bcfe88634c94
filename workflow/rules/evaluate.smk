for suffix, ratios in BATCHES.items():

    rule:
        name:
            f"evaluate{suffix}"
        input:
            **unit_files(ratios, "masks", "finetuned", "histories"),
            data=PATHS.dataset(),
            checkpoint=PATHS.checkpoint,
            start=start_of,
            reports=reports_at(ratios),
        output:
            of_units(PATHS.metrics, ratios),
        log:
            PATHS.log(f"units{suffix}", OF_METHOD),
        group:
            "unit"
        conda:
            "../../envs/graphprune.yaml"
        resources:
            **asks("evaluate"),
        params:
            **tuned(ratios),
        script:
            "../scripts/evaluate.py"


# accuracy while weights are removed, those of the highest or of the lowest scores first
rule removal:
    input:
        data=PATHS.dataset(),
        checkpoint=PATHS.checkpoint,
        scores=PATHS.ranking,
    output:
        PATHS.removal,
    log:
        PATHS.log("removal", OF_METHOD),
    benchmark:
        PATHS.benchmark("removal", OF_METHOD)
    wildcard_constraints:
        regime="finetune",
    group:
        "unit"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("removal"),
    params:
        device=config["device"],
    script:
        "../scripts/removal.py"
