# the store is created once, before any job records: MLflow's migrations bear one process only
rule store:
    output:
        f"{RESULTS}/tracking/store.json",
    log:
        f"{RESULTS}/logs/store.log",
    benchmark:
        f"{RESULTS}/benchmarks/store.tsv"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("records"),
        runtime=minutes("records"),
    params:
        experiment=config["experiment"],
        store=STORE,
        tracking=config["tracking"],
    script:
        "../scripts/store.py"


TRACKED = f"{RESULTS}/tracking/{{dataset}}-{{model}}-seed{{seed}}.json"

for suffix, seeds in record_batches().items():

    rule:
        name:
            f"track{suffix}"
        input:
            store=rules.store.output,
            data=DATA,
            checkpoints=of_seeds(CHECKPOINT, seeds),
            histories=of_seeds(rules.train.output.history, seeds),
            activations=of_seeds(CALIBRATION, seeds),
            graph=of_seeds(list(rules.graph.output), seeds),
            scores=of_seeds(score_files(), seeds),
            removal=of_seeds(
                of_methods(f"{METHOD}/removal.csv", using("curvature", ["finetune"])),
                seeds,
            ),
            metrics=of_seeds(all_units("metrics.json"), seeds),
            figures=of_seeds(all_units("figure.png"), seeds),
            finetuned=of_seeds(all_units("finetuned.safetensors"), seeds),
            masks=of_seeds(all_units("mask.safetensors"), seeds),
            latency=of_seeds(
                f"{RUN}/latency.csv", [s for s in seeds if s == config["seeds"][0]]
            ),
        output:
            of_seeds(TRACKED, seeds),
        log:
            f"{RESULTS}/logs/track{suffix}/{{dataset}}-{{model}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/track{suffix}/{{dataset}}-{{model}}.tsv"
        group:
            "record"
        conda:
            "../../envs/graphprune.yaml"
        resources:
            mlflow=1,
            mem_mb=memory("records"),
            runtime=minutes("records"),
        params:
            experiment=config["experiment"],
            store=STORE,
            tracking=config["tracking"],
            seeds=seeds,
            settings=recorded_settings,
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
        f"{RESULTS}/tracking/comparison.json",
    log:
        f"{RESULTS}/logs/track_comparison.log",
    benchmark:
        f"{RESULTS}/benchmarks/track_comparison.tsv"
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("records"),
        runtime=minutes("records"),
    params:
        experiment=config["experiment"],
        store=STORE,
        tracking=config["tracking"],
        config={key: config[key] for key in sorted(config) if key != "tracking"},
    script:
        "../scripts/track_comparison.py"
