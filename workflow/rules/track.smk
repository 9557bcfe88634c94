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


rule track:
    input:
        store=rules.store.output,
        data=DATA,
        checkpoint=CHECKPOINT,
        history=rules.train.output.history,
        activations=CALIBRATION,
        graph=rules.graph.output,
        scores=score_files,
        removal=of_methods(f"{METHOD}/removal.csv", using("curvature", ["finetune"])),
        metrics=all_units("metrics.json"),
        figures=all_units("figure.png"),
        finetuned=all_units("finetuned.safetensors"),
        masks=all_units("mask.safetensors"),
    output:
        f"{RESULTS}/tracking/{{dataset}}-{{model}}-seed{{seed}}.json",
    log:
        f"{RESULTS}/logs/track/{{dataset}}-{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/track/{{dataset}}-{{model}}-seed{{seed}}.tsv"
    group:
        "record"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("records"),
        runtime=minutes("records"),
    params:
        experiment=config["experiment"],
        store=STORE,
        tracking=config["tracking"],
        settings=recorded_settings,
    script:
        "../scripts/track.py"


rule track_comparison:
    input:
        store=rules.store.output,
        units=of_networks(rules.track.output[0]),
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
