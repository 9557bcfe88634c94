"""Join the parts of a score."""

from job import job, made

with job(snakemake) as log:
    from graphprune.methods import method_class, results

    name = snakemake.params.method["name"]
    parts, times = zip(*map(results.load_part, snakemake.input), strict=True)
    result = method_class(name).gather([part.result for part in parts])
    # the sum over the parts is the time that one job would have taken
    report = results.Report(name, result.report, sum(times))
    scores, path = snakemake.output.scores[0], snakemake.output.reports[0]
    results.save(scores, result, name, made(snakemake, scores))
    results.save_report(path, report, made(snakemake, path))
    log.info("%d parts: %.2f s, %s", len(parts), report.seconds, result.report)
