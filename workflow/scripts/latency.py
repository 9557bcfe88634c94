"""Time every unit's compact network beside the dense one, on one thread."""

from job import job

with job(snakemake) as log:
    import numba
    import torch

    from graphprune import checkpoints, compaction, networks
    from graphprune.files import write_csv

    torch.set_num_threads(1)
    numba.set_num_threads(1)
    model, identity = networks.load(snakemake.input.checkpoint)
    wanted = {key: snakemake.wildcards[key] for key in ("dataset", "model", "seed")}
    rows = []
    for unit, path in zip(snakemake.params.units, snakemake.input.masks, strict=True):
        masks, _ = checkpoints.load(path, "mask")
        found = compaction.savings(
            model, masks, identity.input_shape, repeats=snakemake.params.repeats
        )
        for size, times in found.latencies.items():
            row = {**wanted, **unit, "batch_size": size, "dense": times.dense}
            rows.append({**row, "masked": times.masked, "compact": times.compact})
            log.info("%s", rows[-1])
    write_csv(snakemake.output[0], rows)
