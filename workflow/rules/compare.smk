rule compare:
    input:
        metrics=[
            path for unit in all_units(PATHS.metrics) for path in of_networks(unit)
        ],
        latencies=LATENCIES,
    output:
        parquet=PATHS.units_table,
        csv=units_csv(),
        layers=PATHS.layers_table,
    log:
        PATHS.log("compare"),
    benchmark:
        PATHS.benchmark("compare")
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("records"),
    script:
        "../scripts/compare.py"
