"""Summarise the comparison: mean accuracy and its interval by method and ratio."""

from job import job

with job(snakemake) as log:
    import pandas as pd

    from graphprune.comparison import tables
    from graphprune.files import atomic

    page = tables.summary_page(pd.read_parquet(snakemake.input.units))
    with atomic(snakemake.output[0]) as temporary:
        temporary.write_text(page)
