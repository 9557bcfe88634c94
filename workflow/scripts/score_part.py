"""Score the weights by curvature on one part of the examples."""

from job import job

with job(snakemake) as log:
    import time

    from graphprune import activations, networks, results
    from graphprune.methods.curvature import Curvature

    model, _ = networks.load(snakemake.input.checkpoint)
    inputs, _ = activations.read(snakemake.input.calibration)
    part, parts = int(snakemake.wildcards.part), snakemake.params.parts
    method = Curvature(**{**snakemake.params.method["options"], "threads": snakemake.threads})
    start = time.perf_counter()
    result = method.run_part(model, inputs, part, parts)
    seconds = time.perf_counter() - start
    results.save(snakemake.output[0], result, "curvature", seconds)
    log.info("part %d of %d: %.2f s, %s", part + 1, parts, seconds, result.report)
