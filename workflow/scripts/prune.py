"""Turn scores into masks and pruned networks, one of each at every ratio."""

from job import job

with job(snakemake) as log:
    import copy

    from graphprune import checkpoints, masks
    from graphprune.methods import results
    from graphprune.models import networks

    units = zip(
        snakemake.params.compressions,
        snakemake.input.scores,
        snakemake.output.masks,
        snakemake.output.pruned,
        strict=True,
    )
    start, identity = networks.load(snakemake.input.checkpoint)
    read = ""
    for ratio, scores_path, mask_path, pruned_path in units:
        model = copy.deepcopy(start)
        # one ranking serves all ratios
        if scores_path != read:
            scored, read = results.load(scores_path), scores_path
        if scored.result.weights:
            model.load_state_dict(scored.result.weights)
        mask = results.masks_of(scored, 1 - 1 / float(ratio), snakemake.params.scope)
        if snakemake.params.rescale and not scored.result.weights:
            masks.rescale(model, mask)
        masks.apply(model, mask)
        checkpoints.save(mask_path, mask, "mask")
        networks.save(pruned_path, model.state_dict(), identity)
        log.info("x%s: sparsity %.6f", ratio, masks.sparsity_of(mask))
