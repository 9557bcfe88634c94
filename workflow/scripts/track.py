"""Record one dense network and all its units in MLflow."""

from pathlib import Path

from job import job

with job(snakemake) as log:
    import json

    from graphprune import records, tracking
    from graphprune.files import write_json

    settings = snakemake.params.settings
    tags = tracking.source_state(Path(__file__).parent)
    children, dense_accuracy = [], 0.0
    for path in map(Path, snakemake.input.metrics):
        configured = {**settings["shared"], **settings["methods"][path.parent.parent.name]}
        children.append(records.unit_record(path, configured, tags))
        dense_accuracy = json.loads(path.read_text())["accuracy_dense"]
    parent = records.dense_record(
        {key: snakemake.wildcards[key] for key in ("dataset", "model", "seed")},
        settings["shared"],
        Path(snakemake.input.checkpoint).parent,
        dense_accuracy,
        tags,
    )
    store = tracking.Store(Path(snakemake.output[0]).parents[1], snakemake.params.experiment)
    runs = store.record(parent, children)
    write_json(snakemake.output[0], runs)
    log.info("%d runs", len(runs))
