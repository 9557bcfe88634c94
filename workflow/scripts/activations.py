"""Choose the calibration examples and keep every layer's values for them."""

from job import job, made, workers

with job(snakemake) as log:
    from graphprune import data
    from graphprune.models import networks
    from graphprune.neural_graph import calibration

    model, identity = networks.load(snakemake.input.checkpoint)
    split = data.read(snakemake.input.data, identity.preprocess, workers(snakemake)).train
    chosen = calibration.calibration_examples(
        model, split, snakemake.params.per_class, correct=snakemake.params.correct
    )
    output = snakemake.output[0]
    calibration.save(output, model, split, chosen, made(snakemake, output))
    log.info("%d examples, training indices %s", len(chosen), chosen.tolist())
