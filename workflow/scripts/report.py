"""Summarise the comparison: mean accuracy and its interval by method and ratio."""

from job import job

with job(snakemake) as log:
    from graphprune.comparison import reading, tables
    from graphprune.files import atomic

    units = reading.table(snakemake.input.units, tables.COLUMNS, "the table of all units")
    page = tables.summary_page(units)
    with atomic(snakemake.output[0]) as temporary:
        temporary.write_text(page)
