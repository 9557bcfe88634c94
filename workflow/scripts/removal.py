"""Accuracy without fine-tuning while weights are removed in the order of their curvature."""

from job import job

with job(snakemake) as log:
    from graphprune import data
    from graphprune.comparison import removal
    from graphprune.files import write_csv
    from graphprune.methods import results
    from graphprune.models import networks
    from graphprune.training import devices

    model, identity = networks.load(snakemake.input.checkpoint)
    model.to(devices.use(snakemake.params.device))
    test = data.read(snakemake.input.data).test
    importance = results.load(snakemake.input.scores).result.scores
    rows = removal.curves(model, test, importance, seed=identity.seed)
    write_csv(snakemake.output[0], rows)
