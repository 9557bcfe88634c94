"""Draw accuracy against compression, and the cost of the scores."""

from job import job

with job(snakemake) as log:
    import pandas as pd

    from graphprune import figures

    units = pd.read_parquet(snakemake.input.units)
    for stage in ("pruned", "finetuned"):
        figure = figures.accuracy_against_compression(units, stage)
        figures.save(figure, snakemake.output[stage][0])
    figures.save(figures.scoring_cost(units), snakemake.output.cost[0])
