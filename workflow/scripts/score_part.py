"""Score the weights by one part of the examples."""

from job import job

with job(snakemake) as log:
    import time

    from graphprune.methods import build, method_class, results
    from graphprune.methods.catalog import has_option
    from graphprune.models import networks
    from graphprune.neural_graph import calibration

    model, identity = networks.load(snakemake.input.checkpoint)
    inputs, targets = calibration.read(snakemake.input.calibration)
    part, parts = int(snakemake.wildcards.part), snakemake.params.parts
    name = snakemake.params.method["name"]
    offered = {"seed": identity.seed, "threads": snakemake.threads}
    given = {k: v for k, v in offered.items() if has_option(method_class(name), k)}
    method = build(name, **{**snakemake.params.method["options"], **given})
    start = time.perf_counter()
    result = method.run_part(model, inputs, part, parts, targets)
    seconds = time.perf_counter() - start
    results.save(snakemake.output[0], result, name, seconds)
    log.info("part %d of %d: %.2f s, %s", part + 1, parts, seconds, result.report)
