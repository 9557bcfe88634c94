"""Train the dense network."""

from job import job, made, partial, workers

with job(snakemake) as log:
    from graphprune import data
    from graphprune.files import write_csv
    from graphprune.layout import NetworkPaths
    from graphprune.models import networks
    from graphprune.randomness import seed_of
    from graphprune.training import devices, live, loop
    from graphprune.training.settings import Settings

    name, seed = snakemake.wildcards.network, int(snakemake.wildcards.seed)
    dataset = data.read(snakemake.input.data, workers=workers(snakemake))
    identity = networks.Identity(
        dataset.name,
        snakemake.params.network["model"],
        dataset.input_shape,
        len(dataset.classes),
        seed,
        name,
        snakemake.params.network["options"],
    )
    model = identity.build()
    initial = snakemake.output.initial
    networks.save(initial, model.state_dict(), identity, made(snakemake, initial))
    model.to(devices.use(snakemake.params.device))
    results = snakemake.config["results"]
    unit = NetworkPaths(results, dataset.name, name, seed).id
    labels = {**dict(snakemake.wildcards.items()), "model": identity.model, "method": "dense"}
    trained = snakemake.output.checkpoint
    kept = partial(snakemake, trained)
    with live.LiveCurve(results, unit, "train", labels) as curve:
        history = loop.train(
            model,
            dataset.train,
            Settings.of(snakemake.params.settings, seed_of(seed, "train", identity.of)),
            validation=dataset.validation,
            on_epoch=curve,
            scaling=dataset.scaling,
            partial=kept,
        )
    write_csv(snakemake.output.history, history)
    networks.save(trained, model.state_dict(), identity, made(snakemake, trained))
    kept.remove()
