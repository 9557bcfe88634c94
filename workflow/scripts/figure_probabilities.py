"""Draw how far from 0 and 1 the keep probabilities are at the end, over all seeds."""

from job import job

with job(snakemake) as log:
    import pandas as pd

    from graphprune import figures
    from graphprune.comparison import reading

    units = [reading.metrics(path) for path in snakemake.input]
    reports = [{"compression": unit["compression"], **unit["report"]} for unit in units]
    title = "{dataset} · {network}, {method}, {regime}".format(**dict(snakemake.wildcards.items()))
    figure = figures.keep_probabilities(pd.DataFrame(reports), title)
    figures.save(figure, snakemake.output[0])
