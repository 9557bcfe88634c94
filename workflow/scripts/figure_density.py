"""Draw what share of each layer every method keeps."""

from job import job

with job(snakemake) as log:
    from graphprune import figures
    from graphprune.comparison import reading
    from graphprune.comparison.columns import UNIT_LABELS

    columns = [*UNIT_LABELS, "layer", "density", "flops_kept"]
    layers = reading.table(snakemake.input.layers, columns, "the table of all layers")
    wanted = dict(snakemake.wildcards.items())
    for column in ("dataset", "network", "regime"):
        layers = layers[layers[column] == wanted[column]]
    figures.save(figures.layer_density(layers), snakemake.output[0])
