"""Record one dense network and all its units in MLflow."""

from pathlib import Path

from job import job

with job(snakemake) as log:
    import json
    from tempfile import TemporaryDirectory

    from graphprune import records, tracking
    from graphprune.files import write_json

    settings, options = snakemake.params.settings, snakemake.params.tracking
    results = Path(snakemake.output[0]).parents[1]
    patience = tracking.Patience(options["patience"])
    store = tracking.Store(results, snakemake.params.experiment, patience=patience)
    with TemporaryDirectory(prefix="graphprune-") as scratch:
        models = None
        if options["models"] != "none":
            models = records.model_format(
                Path(scratch), Path(snakemake.input.checkpoint), Path(snakemake.input.activations)
            )
        network = records.Network(
            results=results,
            labels={key: snakemake.wildcards[key] for key in ("dataset", "model", "seed")},
            tags=tracking.source_state(Path(__file__).parent),
            data=Path(snakemake.input.data),
            dense_model=models,
            unit_models=models if options["models"] == "all" else None,
        )
        children, dense_accuracy = [], 0.0
        for path in map(Path, snakemake.input.metrics):
            configured = {**settings["shared"], **settings["methods"][path.parent.parent.name]}
            children.append(records.unit_record(network, path, configured))
            dense_accuracy = json.loads(path.read_text())["accuracy_dense"]
        parent = records.dense_record(network, settings["shared"], dense_accuracy)
        runs = store.record(parent, children)
    write_json(snakemake.output[0], runs)
    log.info("%d runs", len(runs))
