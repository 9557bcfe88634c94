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
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=memory("records"),
        runtime=minutes("records"),
    script:
        "../scripts/report.py"
