"""Fetch published weights."""

from job import job, made

with job(snakemake) as log:
    from pathlib import Path

    from graphprune.pretrained import fetching
    from graphprune.pretrained.source import Source

    source = Source.of(snakemake.params.checkpoint)
    folder = Path(snakemake.params.folder) / fetching.FOLDER
    tensors = fetching.fetch(source, folder, snakemake.params.download)
    output = snakemake.output[0]
    fetching.save(output, tensors, source, made(snakemake, output))
    log.info("%s: %d tensors", source.text, len(tensors))
