"""Score the weights by one part of the examples."""

from job import examples, job, made

with job(snakemake) as log:
    import time

    from graphprune.methods import build, results
    from graphprune.methods.catalog import options_in_job
    from graphprune.methods.contract import run_part_checked
    from graphprune.models import networks
    from graphprune.randomness import seed_of

    model, identity = networks.load(snakemake.input.checkpoint)
    inputs, targets = examples(snakemake)
    part, parts = int(snakemake.wildcards.part), snakemake.params.parts
    name, given = snakemake.params.method["name"], snakemake.params.method["options"]
    seed = seed_of(identity.seed, "score", f"{identity.of}/{snakemake.wildcards.method}")
    method = build(name, **options_in_job(name, given, seed, snakemake.threads))
    start = time.perf_counter()
    result = run_part_checked(method, model, inputs, targets, part, parts)
    seconds = time.perf_counter() - start
    output = snakemake.output[0]
    results.save(output, result, name, made(snakemake, output), seconds)
    log.info("part %d of %d: %.2f s, %s", part + 1, parts, seconds, result.report)
