"""Score the weights by one method, once or at each of several sparsities."""

from job import job

with job(snakemake) as log:
    from pathlib import Path

    from graphprune import activations, data, devices, methods, networks, results
    from graphprune.methods.series import run_series

    model, identity = networks.load(snakemake.input.checkpoint)
    model.to(devices.use(snakemake.params.device))
    inputs = targets = None
    if calibration := snakemake.input.get("calibration"):
        inputs, targets = activations.read(calibration)
    elif prepared := snakemake.input.get("data"):
        split = data.read(prepared).train
        inputs, targets = split.images, split.labels

    name, options = snakemake.params.method["name"], dict(snakemake.params.method["options"])
    if methods.method_class(name).seeded:
        options["seed"] = identity.seed
    if name == "curvature":
        options["threads"] = snakemake.threads
    sparsities = [1 - 1 / float(ratio) for ratio in snakemake.params.compressions]
    # a job that is killed loses its outputs, so these stay until all of them are written
    partial = [Path(path).with_suffix(".partial.safetensors") for path in snakemake.output]
    series = run_series(name, options, sparsities, model, inputs, targets, partial)
    for at, result, seconds in series:
        results.save(snakemake.output[at], result, name, seconds)
        log.info("%s %s: %.2f s, %s", name, snakemake.output[at], seconds, result.report)
    for path in partial:
        path.unlink(missing_ok=True)
