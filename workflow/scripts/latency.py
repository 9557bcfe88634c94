"""Time every unit's compact network in turns with the dense one, on one thread."""

from job import job

with job(snakemake) as log:
    import numba
    import torch

    from graphprune import compaction
    from graphprune.comparison.unit import labels_of
    from graphprune.files import write_csv
    from graphprune.layout import UnitPaths
    from graphprune.models import networks, pruned

    torch.set_num_threads(1)
    numba.set_num_threads(1)
    model, identity = networks.load(snakemake.input.checkpoint)
    rows = []
    for path in snakemake.input.masks:
        unit = UnitPaths.of(snakemake.config["results"], path)
        labels = labels_of(identity, unit.regime, unit.method, unit.compression)
        timed = compaction.savings(
            model, pruned.read(path), identity.input_shape, repeats=snakemake.params.repeats
        )
        for size, times in timed.latencies.items():
            row = {**labels, "batch_size": size, "dense": times.dense}
            rows.append({**row, "masked": times.masked, "compact": times.compact})
            log.info("%s", rows[-1])
    write_csv(snakemake.output[0], rows)
