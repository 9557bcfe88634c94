"""Train the dense network."""

from job import job

with job(snakemake) as log:
    from graphprune import data, networks, training
    from graphprune.files import write_csv

    seed = int(snakemake.wildcards.seed)
    dataset = data.read(snakemake.input.data)
    identity = networks.Identity(
        dataset.name, snakemake.wildcards.model, dataset.input_shape, len(dataset.classes), seed
    )
    model = identity.build()
    networks.save(snakemake.output.initial, model.state_dict(), identity)
    history = training.train(
        model,
        dataset.train,
        training.Settings.of(snakemake.params.settings, seed),
        validation=dataset.validation,
        on_epoch=lambda row: log.info("%s", row),
    )
    write_csv(snakemake.output.history, history)
    networks.save(snakemake.output.checkpoint, model.state_dict(), identity)
