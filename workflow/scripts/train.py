"""Train the dense network."""

from job import job

with job(snakemake) as log:
    from pathlib import Path

    from graphprune import data, devices, live, networks, training
    from graphprune.files import write_csv

    seed = int(snakemake.wildcards.seed)
    dataset = data.read(snakemake.input.data)
    identity = networks.Identity(
        dataset.name, snakemake.wildcards.model, dataset.input_shape, len(dataset.classes), seed
    )
    model = identity.build()
    networks.save(snakemake.output.initial, model.state_dict(), identity)
    model.to(devices.use(snakemake.params.device))
    labels = {**snakemake.wildcards, "method": "dense"}
    folder = Path(snakemake.output.history).parent
    with live.LiveCurve(snakemake.params.results, folder.parent, "train", labels) as curve:
        history = training.train(
            model,
            dataset.train,
            training.Settings.of(snakemake.params.settings, seed),
            validation=dataset.validation,
            on_epoch=curve,
        )
    write_csv(snakemake.output.history, history)
    networks.save(snakemake.output.checkpoint, model.state_dict(), identity)
