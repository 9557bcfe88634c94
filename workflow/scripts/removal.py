"""Accuracy without fine-tuning while weights are removed in the order of their curvature."""

from job import job, workers

with job(snakemake) as log:
    from graphprune import data
    from graphprune.comparison import removal
    from graphprune.files import write_csv
    from graphprune.methods import results
    from graphprune.models import networks
    from graphprune.randomness import seed_of
    from graphprune.training import devices

    model, identity = networks.load(snakemake.input.checkpoint)
    model.to(devices.use(snakemake.params.device))
    test = data.read(snakemake.input.data, identity.preprocess, workers(snakemake)).test
    importance = results.load(snakemake.input.scores).result.scores
    seed = seed_of(identity.seed, "removal", identity.of)
    rows = removal.curves(model, test, importance, identity.seed, draws=seed)
    write_csv(snakemake.output[0], rows)
