"""Record the dense networks of one model, of every seed, and all their units in MLflow."""

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
    source = tracking.source_state(Path(__file__).parent)
    with TemporaryDirectory(prefix="graphprune-") as scratch:
        models = None
        if options["models"] != "none":
            models = records.model_format(
                Path(scratch),
                Path(snakemake.input.checkpoints[0]),
                Path(snakemake.input.activations[0]),
            )
        for seed, output in zip(snakemake.params.seeds, snakemake.output, strict=True):
            network = records.Network(
                results=results,
                labels={**snakemake.wildcards, "seed": str(seed)},
                tags=source,
                data=Path(snakemake.input.data),
                dense_model=models,
                unit_models=models if options["models"] == "all" else None,
            )
            children, dense_accuracy = [], 0.0
            for path in map(Path, snakemake.input.metrics):
                if path.is_relative_to(network.folder):
                    method = path.parent.parent.name
                    configured = {**settings["shared"], **settings["methods"][method]}
                    children.append(records.unit_record(network, path, configured))
                    dense_accuracy = json.loads(path.read_text())["accuracy_dense"]
            parent = records.dense_record(network, settings["shared"], dense_accuracy)
            runs = store.record(parent, children)
            write_json(output, runs)
            log.info("seed %s: %d runs", seed, len(runs))
