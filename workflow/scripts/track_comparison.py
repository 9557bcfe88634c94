"""Record the comparison, its figures and tables: as a run; some in every parent run."""

from pathlib import Path

from job import job

with job(snakemake) as log:
    import json
    from tempfile import TemporaryDirectory

    import yaml

    from graphprune import tracking
    from graphprune.files import write_json
    from graphprune.tracking.unit import digest

    config = snakemake.params.config
    patience = tracking.Patience(snakemake.params.tracking["patience"])
    results = Path(snakemake.config["results"])
    store = tracking.Store(results, snakemake.params.experiment, patience=patience)
    with TemporaryDirectory(prefix="graphprune-") as scratch:
        written = Path(scratch) / "config.yaml"
        written.write_text(yaml.safe_dump(config, sort_keys=False))
        runs = store.record(
            tracking.UnitRecord(
                unit="comparison",
                tags={
                    **tracking.recorder(Path(__file__).parent),
                    "stage": "report",
                    "config_hash": digest(config)[:16],
                },
                artifacts={
                    "": [written],
                    "figures": [Path(path) for path in snakemake.input.figures],
                    "tables": [Path(path) for path in snakemake.input.tables],
                    "report": [Path(path) for path in snakemake.input.report],
                },
            )
        )
    glance = [
        path
        for path in [*snakemake.input.tables, *snakemake.input.figures, *snakemake.input.report]
        if Path(path).name in ("summary.html", "metrics.csv", "accuracy_finetuned.png")
    ]
    for path in snakemake.input.units:
        parent = next(iter(json.loads(Path(path).read_text())))
        store.attach(parent, glance, "comparison")
    write_json(snakemake.output[0], runs)
