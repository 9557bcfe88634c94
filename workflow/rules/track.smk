# The store is created once, before any job records: MLflow's migrations allow one process only.
rule store:
    output:
        PATHS.record("store"),
    log:
        PATHS.log("store"),
    benchmark:
        PATHS.benchmark("store")
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("records"),
    params:
        experiment=as_it_is(config["experiment"]),
        store=STORE,
        tracking=config["tracking"],
    script:
        "../scripts/store.py"


TRACKED = PATHS.record(OF_NETWORK)

for suffix, seeds in record_batches().items():

    rule:
        name:
            f"track{suffix}"
        input:
            **recorded_files(seeds),
            store=rules.store.output,
            data=PATHS.dataset(),
        output:
            of_seeds(TRACKED, seeds),
        log:
            PATHS.log(f"track{suffix}", "{dataset}-{network}"),
        benchmark:
            PATHS.benchmark(f"track{suffix}", "{dataset}-{network}")
        group:
            "record"
        conda:
            "../../envs/graphprune.yaml"
        resources:
            **asks("records"),
            mlflow=1,
        params:
            **recorded_params(seeds),
        script:
            "../scripts/track.py"


rule track_comparison:
    input:
        store=rules.store.output,
        units=of_networks(TRACKED),
        tables=[rules.compare.output.csv, rules.compare.output.parquet],
        figures=FIGURES,
        report=rules.report.output,
    output:
        PATHS.record("comparison"),
    log:
        PATHS.log("track_comparison"),
    benchmark:
        PATHS.benchmark("track_comparison")
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("records"),
    params:
        **compared_params(),
    script:
        "../scripts/track_comparison.py"
