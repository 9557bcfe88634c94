rule report:
    input:
        units=rules.compare.output.parquet,
        figures=FIGURES,
    output:
        report(
            f"{RESULTS}/summary.html",
            caption="../report/summary.rst",
            category="Comparison",
            labels={"table": "summary"},
        ),
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    conda:
        "../../envs/graphprune.yaml"
    script:
        "../scripts/report.py"
