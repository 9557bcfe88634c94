"""Score the weights by one method, once or at each of several sparsities."""

from job import job

with job(snakemake) as log:
    import time

    from graphprune import activations, data, methods, networks, results

    model, identity = networks.load(snakemake.input.checkpoint)
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
    ratios = [float(ratio) for ratio in snakemake.params.compressions]
    targeted = [{"sparsity": 1 - 1 / ratio} for ratio in ratios] or [{}]
    for target, path in zip(targeted, snakemake.output, strict=True):
        start = time.perf_counter()
        result = methods.build(name, **options, **target).run(model, inputs, targets)
        seconds = time.perf_counter() - start
        results.save(path, result, name, seconds)
        log.info("%s %s: %.2f s, %s", name, target, seconds, result.report)
