"""Record a dense network, for every seed, and all its units in MLflow."""

from pathlib import Path

from job import job

with job(snakemake) as log:
    from tempfile import TemporaryDirectory

    from graphprune import tracking
    from graphprune.files import write_json
    from graphprune.layout import UnitPaths
    from graphprune.tracking import records

    settings, options = snakemake.params.settings, snakemake.params.tracking
    results = Path(snakemake.config["results"])
    patience = tracking.Patience(options["patience"])
    store = tracking.Store(results, snakemake.params.experiment, patience=patience)
    recorder = tracking.recorder(Path(__file__).parent)
    said = snakemake.params.published
    published = {"accuracy_published": said} if said else {}
    units = {path: UnitPaths.of(results, path) for path in snakemake.input.metrics}
    with TemporaryDirectory(prefix="graphprune-") as scratch:
        models = None
        if options["models"] != "none":
            weights = Path(snakemake.input.checkpoints[0])
            example = records.example_of(
                weights, Path(snakemake.input.data), snakemake.input.activations
            )
            models = records.model_format(Path(scratch), weights, example)
        for seed, output in zip(snakemake.params.seeds, snakemake.output, strict=True):
            wildcards = dict(snakemake.wildcards.items())
            network = records.Network(
                results=results,
                labels={**wildcards, "model": snakemake.params.model, "seed": str(seed)},
                tags={**recorder, **published},
                data=Path(snakemake.input.data),
                dense_model=models,
                unit_models=models if options["models"] == "all" else None,
                keeps_scores=snakemake.config["keep_scores"],
            )
            children, dense_accuracy = [], 0.0
            for path, unit in units.items():
                if unit.seed == seed:
                    configured = {**settings["shared"], **settings["methods"][unit.method]}
                    child = records.unit_record(network, Path(path), configured)
                    children.append(child)
                    dense_accuracy = child.metrics["accuracy_dense"]
            parent = records.dense_record(network, settings["shared"], dense_accuracy)
            runs = store.record(parent, children)
            write_json(output, runs)
            log.info("seed %s: %d runs", seed, len(runs))
