"""Score the weights by one method, once or at each of several sparsities."""

from job import examples, job, made, unfinished

with job(snakemake) as log:
    from graphprune.methods import results
    from graphprune.methods.catalog import options_in_job
    from graphprune.methods.series import run_series
    from graphprune.models import networks
    from graphprune.randomness import seed_of
    from graphprune.training import devices

    model, identity = networks.load(snakemake.input.checkpoint)
    model.to(devices.use(snakemake.params.device))
    inputs, targets = examples(snakemake)
    name, given = snakemake.params.method["name"], snakemake.params.method["options"]
    seed = seed_of(identity.seed, "score", f"{identity.of}/{snakemake.wildcards.method}")
    options = options_in_job(name, given, seed, snakemake.threads)
    sparsities = [1 - 1 / float(ratio) for ratio in snakemake.params.compressions]
    scores = snakemake.output.scores
    partial = [unfinished(snakemake, path) for path in scores]
    series = run_series(name, options, sparsities, model, inputs, targets, partial)
    for place, result, seconds in series:
        results.save(scores[place], result, name, made(snakemake, scores[place]))
        report, path = results.Report(name, result.report, seconds), snakemake.output.reports[place]
        results.save_report(path, report, made(snakemake, path))
        log.info("%s %s: %.2f s, %s", name, scores[place], seconds, result.report)
    for path in partial:
        path.unlink(missing_ok=True)
