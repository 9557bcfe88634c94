"""Score the weights by one part of the examples."""

from job import examples, job

with job(snakemake) as log:
    import time

    from graphprune.methods import build, results
    from graphprune.methods.catalog import options_in_job
    from graphprune.methods.contract import run_part_checked
    from graphprune.models import networks

    model, identity = networks.load(snakemake.input.checkpoint)
    inputs, targets = examples(snakemake.input)
    part, parts = int(snakemake.wildcards.part), snakemake.params.parts
    name, given = snakemake.params.method["name"], snakemake.params.method["options"]
    method = build(name, **options_in_job(name, given, identity.seed, snakemake.threads))
    start = time.perf_counter()
    result = run_part_checked(method, model, inputs, targets, part, parts)
    seconds = time.perf_counter() - start
    results.save(snakemake.output[0], result, name, seconds)
    log.info("part %d of %d: %.2f s, %s", part + 1, parts, seconds, result.report)
