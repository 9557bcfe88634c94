"""Score the weights by one method, once or at each of several sparsities."""

from job import examples, job

with job(snakemake) as log:
    from pathlib import Path

    from graphprune.methods import results
    from graphprune.methods.catalog import options_in_job
    from graphprune.methods.series import run_series
    from graphprune.models import networks
    from graphprune.training import devices

    model, identity = networks.load(snakemake.input.checkpoint)
    model.to(devices.use(snakemake.params.device))
    inputs, targets = examples(snakemake.input)
    name, given = snakemake.params.method["name"], snakemake.params.method["options"]
    options = options_in_job(name, given, identity.seed, snakemake.threads)
    sparsities = [1 - 1 / float(ratio) for ratio in snakemake.params.compressions]
    # a job that is killed loses its outputs, so these stay until all of them are written
    partial = [Path(path).with_suffix(".partial.safetensors") for path in snakemake.output]
    series = run_series(name, options, sparsities, model, inputs, targets, partial)
    for place, result, seconds in series:
        results.save(snakemake.output[place], result, name, seconds)
        log.info("%s %s: %.2f s, %s", name, snakemake.output[place], seconds, result.report)
    for path in partial:
        path.unlink(missing_ok=True)
