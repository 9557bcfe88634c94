"""Draw what share of each layer every method keeps."""

from job import job

with job(snakemake) as log:
    import pandas as pd

    from graphprune import figures

    layers = pd.read_parquet(snakemake.input.layers)
    wanted = dict(snakemake.wildcards.items())
    for column in ("dataset", "network", "regime"):
        layers = layers[layers[column] == wanted[column]]
    figures.save(figures.layer_density(layers), snakemake.output[0])
