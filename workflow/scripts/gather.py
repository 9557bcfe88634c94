"""Join the parts of a curvature score."""

from job import job

with job(snakemake) as log:
    from graphprune import results
    from graphprune.methods.curvature import gather

    parts = [results.load(path) for path in snakemake.input]
    result = gather([part.result for part in parts])
    # the time that all parts took together, as one job would have taken
    seconds = sum(part.seconds for part in parts)
    results.save(snakemake.output[0], result, "curvature", seconds)
    log.info("%d parts: %.2f s, %s", len(parts), seconds, result.report)
