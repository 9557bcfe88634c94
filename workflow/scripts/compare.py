"""Gather every unit's metrics into one tidy table."""

from job import job

with job(snakemake) as log:
    from graphprune.comparison import tables
    from graphprune.files import atomic

    table, layers = tables.tables(snakemake.input.metrics, snakemake.input.latencies)
    with atomic(snakemake.output.parquet) as temporary:
        table.to_parquet(temporary, index=False)
    with atomic(snakemake.output.csv) as temporary:
        table.to_csv(temporary, index=False)
    with atomic(snakemake.output.layers) as temporary:
        layers.to_parquet(temporary, index=False)
    log.info("%d units", len(table))
