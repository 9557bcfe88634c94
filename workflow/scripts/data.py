"""Prepare a dataset: its fixed split in one file."""

from job import job

with job(snakemake) as log:
    from graphprune import data

    dataset = data.load(
        snakemake.wildcards.dataset,
        root=snakemake.params.folder,
        download=snakemake.params.download,
    )
    data.save(snakemake.output[0], dataset)
    sizes = [len(split.labels) for split in (dataset.train, dataset.validation, dataset.test)]
    log.info("%s: %d training, %d validation, %d test images", dataset.name, *sizes)
