"""Draw what share of each layer every method keeps."""

from job import job

with job(snakemake) as log:
    import pandas as pd

    from graphprune import figures

    layers = pd.read_parquet(snakemake.input.layers)
    wanted = dict(snakemake.wildcards.items())
    mine = layers[(layers.dataset == wanted["dataset"]) & (layers.model == wanted["model"])]
    figures.save(figures.layer_density(mine), snakemake.output[0])
