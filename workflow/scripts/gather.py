"""Join the parts of a score."""

from job import job

with job(snakemake) as log:
    from graphprune.methods import method_class, results

    name = snakemake.params.method["name"]
    parts = [results.load(path) for path in snakemake.input]
    result = method_class(name).gather([part.result for part in parts])
    # the sum over the parts is the time that one job would have taken
    seconds = sum(part.seconds for part in parts)
    results.save(snakemake.output[0], result, name, seconds)
    log.info("%d parts: %.2f s, %s", len(parts), seconds, result.report)
