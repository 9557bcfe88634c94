"""Train networks from scratch on one regular graph, one a seed."""

from job import job, partial, workers

with job(snakemake) as log:
    from graphprune import data
    from graphprune.files import write_csv
    from graphprune.regular_graphs import trials
    from graphprune.training import devices
    from graphprune.training.settings import Settings

    number = int(snakemake.wildcards.graph)
    seeds = snakemake.params.seeds
    stem = snakemake.output[0].removesuffix(".csv")
    # each is kept until those of all seeds have ended
    kept = {seed: partial(snakemake, f"{stem}.seed{seed}.csv") for seed in seeds}
    rows = trials.train_on_graph(
        trials.load_graphs(snakemake.input.graphs)[number],
        data.read(snakemake.input.data, workers=workers(snakemake)),
        snakemake.params.model,
        seeds,
        Settings.of(snakemake.params.settings, seed=0),
        device=devices.use(snakemake.params.device),
        on_epoch=lambda seed, row: log.info("graph %d, seed %d: %s", number, seed, row),
        kept=kept,
    )
    write_csv(snakemake.output[0], [{"graph": number, **row} for row in rows])
    for unfinished in kept.values():
        unfinished.remove()
