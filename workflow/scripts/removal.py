"""Accuracy without fine-tuning while weights are removed in the order of their curvature."""

from job import job

with job(snakemake) as log:
    from graphprune import data, devices, networks, removal, results
    from graphprune.files import write_csv

    model, identity = networks.load(snakemake.input.checkpoint)
    model.to(devices.use(snakemake.params.device))
    test = data.read(snakemake.input.data).test
    importance = results.load(snakemake.input.scores).result.scores
    rows = removal.curves(model, test, importance, seed=identity.seed)
    write_csv(snakemake.output[0], rows)
