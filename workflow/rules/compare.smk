rule compare:
    input:
        metrics=[
            path for unit in all_units("metrics.json") for path in of_networks(unit)
        ],
        latencies=LATENCIES,
    output:
        parquet=f"{RESULTS}/metrics.parquet",
        csv=report(
            f"{RESULTS}/metrics.csv",
            caption="../report/metrics.rst",
            category="Comparison",
            labels={"table": "all units"},
        ),
        layers=f"{RESULTS}/layers.parquet",
    log:
        f"{RESULTS}/logs/compare.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare.tsv"
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("records"),
        runtime=minutes("records"),
    script:
        "../scripts/compare.py"
