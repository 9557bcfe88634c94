rule compare:
    input:
        metrics=of_networks(
            f"{UNIT}/metrics.json", method=list(METHODS), compression=COMPRESSIONS
        ),
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
    conda:
        "../../envs/graphprune.yaml"
    script:
        "../scripts/compare.py"
