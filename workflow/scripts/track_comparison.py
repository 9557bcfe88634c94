"""Record the comparison, its figures and tables, as a run of its own."""

from pathlib import Path

from job import job

with job(snakemake) as log:
    from graphprune import tracking
    from graphprune.files import write_json

    record = tracking.UnitRecord(
        unit="comparison",
        tags={**tracking.source_state(Path(__file__).parent), "stage": "report"},
        artifacts={
            "figures": [Path(path) for path in snakemake.input.figures],
            "tables": [Path(path) for path in snakemake.input.tables],
            "report": [Path(path) for path in snakemake.input.report],
        },
    )
    store = tracking.Store(Path(snakemake.output[0]).parents[1], snakemake.params.experiment)
    write_json(snakemake.output[0], store.record(record))
