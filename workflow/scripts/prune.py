"""Turn scores into masks, one of each at every ratio."""

from job import job, made

with job(snakemake) as log:
    from graphprune import masks
    from graphprune.methods import results
    from graphprune.models import networks, pruned

    model, _ = networks.load(snakemake.input.checkpoint)
    units = zip(
        snakemake.params.compressions, snakemake.input.scores, snakemake.output, strict=True
    )
    read = ""
    for ratio, scores_path, path in units:
        # one ranking serves all ratios
        if scores_path != read:
            scored, read = results.load(scores_path), scores_path
        mask = results.masks_of(scored, 1 - 1 / float(ratio), snakemake.params.scope)
        masks.check(model, mask)
        weights = scored.result.weights
        rescale = snakemake.params.rescale and not weights
        pruned.save(path, mask, weights, rescale, made(snakemake, path))
        log.info("x%s: sparsity %.6f", ratio, masks.sparsity_of(mask))
