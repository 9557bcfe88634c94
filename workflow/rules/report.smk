rule report:
    input:
        units=rules.compare.output.parquet,
        figures=FIGURES,
    output:
        report(
            PATHS.summary,
            caption="../report/summary.rst",
            category="Comparison",
            labels={"table": "summary"},
        ),
    log:
        PATHS.log("report"),
    benchmark:
        PATHS.benchmark("report")
    group:
        "summary"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("records"),
    script:
        "../scripts/report.py"
