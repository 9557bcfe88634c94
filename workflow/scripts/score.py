"""Score the weights by one method, once or at each of several sparsities."""

from job import job

with job(snakemake) as log:
    from pathlib import Path

    from graphprune import data
    from graphprune.methods import method_class, results
    from graphprune.methods.catalog import has_option
    from graphprune.methods.series import run_series
    from graphprune.models import networks
    from graphprune.neural_graph import calibration
    from graphprune.training import devices

    model, identity = networks.load(snakemake.input.checkpoint)
    model.to(devices.use(snakemake.params.device))
    inputs = targets = None
    if chosen := snakemake.input.get("calibration"):
        inputs, targets = calibration.read(chosen)
    elif prepared := snakemake.input.get("data"):
        split = data.read(prepared).train
        inputs, targets = split.images, split.labels

    name = snakemake.params.method["name"]
    offered = {"seed": identity.seed, "threads": snakemake.threads}
    given = {k: v for k, v in offered.items() if has_option(method_class(name), k)}
    sparsities = [1 - 1 / float(ratio) for ratio in snakemake.params.compressions]
    # Snakemake removes the outputs of a job that is killed; these files stay for the next attempt
    partial = [Path(path).with_suffix(".partial.safetensors") for path in snakemake.output]
    options = {**snakemake.params.method["options"], **given}
    series = run_series(name, options, sparsities, model, inputs, targets, partial)
    for place, result, seconds in series:
        results.save(snakemake.output[place], result, name, seconds)
        log.info("%s %s: %.2f s, %s", name, snakemake.output[place], seconds, result.report)
    for path in partial:
        path.unlink(missing_ok=True)
