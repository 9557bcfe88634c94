"""Choose the calibration examples and keep every layer's values for them."""

from job import job

with job(snakemake) as log:
    from graphprune import activations, checkpoints, data, networks

    model, _ = networks.load(snakemake.input.checkpoint)
    split = data.read(snakemake.input.data).train
    chosen = activations.calibration_examples(model, split, snakemake.params.per_class)
    inputs = split.images[chosen]
    layers = activations.capture(model, inputs)
    tensors = {"inputs": inputs, "labels": split.labels[chosen], "indices": chosen}
    tensors |= {f"layers/{name}": values for name, values in layers.items()}
    checkpoints.save(snakemake.output[0], tensors, "activations")
    log.info("%d examples, training indices %s", len(chosen), chosen.tolist())
