"""Turn scores into masks and pruned networks, one of each at every ratio."""

from job import job

with job(snakemake) as log:
    from graphprune import checkpoints, masks, networks, results

    ratios = [float(ratio) for ratio in snakemake.params.compressions]
    scores = list(snakemake.input.scores)
    if len(scores) < len(ratios):
        scores = scores * len(ratios)
    outputs = zip(scores, ratios, snakemake.output.masks, snakemake.output.pruned, strict=True)
    for path, ratio, mask_path, pruned_path in outputs:
        model, identity = networks.load(snakemake.input.checkpoint)
        scored = results.load(path)
        if scored.result.weights:
            model.load_state_dict(scored.result.weights)
        mask = results.masks_of(scored, 1 - 1 / ratio, snakemake.params.scope)
        if snakemake.params.rescale and not scored.result.weights:
            masks.rescale(model, mask)
        masks.apply(model, mask)
        checkpoints.save(mask_path, mask, "mask")
        networks.save(pruned_path, model.state_dict(), identity)
        log.info("x%g: sparsity %.6f", ratio, masks.sparsity_of(mask))
