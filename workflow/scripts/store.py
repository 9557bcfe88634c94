"""Create the MLflow store and the experiment where they are missing."""

from pathlib import Path

from job import job

with job(snakemake) as log:
    from graphprune import tracking
    from graphprune.files import write_json

    store = tracking.create_store(
        Path(snakemake.config["results"]),
        snakemake.params.experiment,
        patience=tracking.Patience(snakemake.params.tracking["patience"]),
    )
    write_json(snakemake.output[0], {"experiment_id": store.experiment_id})
    log.info("experiment %s is number %s", snakemake.params.experiment, store.experiment_id)
