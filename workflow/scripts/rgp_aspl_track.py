"""Record the experiment on path lengths as a run of its own."""

import json
from pathlib import Path

from job import job

with job(snakemake) as log:
    from graphprune import tracking
    from graphprune.files import write_json

    correlation = json.loads(Path(snakemake.input.correlation).read_text())
    settings = dict(snakemake.params.settings)
    train = settings.pop("train")
    record = tracking.UnitRecord(
        unit="rgp_aspl",
        params={**settings, **{f"train/{key}": value for key, value in train.items()}},
        metrics={
            key: value for key, value in correlation.items() if isinstance(value, int | float)
        },
        tags={**tracking.source_state(Path(__file__).parent), "stage": "rgp_aspl"},
        artifacts={
            "figures": [Path(path) for path in snakemake.input.figures],
            "tables": [Path(path) for path in snakemake.input.tables],
            "graphs": [Path(snakemake.input.graphs)],
        },
    )
    store = tracking.Store(Path(snakemake.config["results"]), snakemake.params.experiment)
    write_json(snakemake.output[0], store.record(record))
