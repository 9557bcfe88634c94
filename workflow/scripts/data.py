"""Prepare a dataset: its fixed split in one file."""

from job import job, made

with job(snakemake) as log:
    from graphprune import data

    dataset = data.load(
        snakemake.wildcards.dataset,
        root=snakemake.params.folder,
        download=snakemake.params.download,
    )
    output = snakemake.output[0]
    data.save(output, dataset, made(snakemake, output))
    sizes = [len(split.labels) for split in (dataset.train, dataset.validation, dataset.test)]
    log.info("%s: %d training, %d validation, %d test images", dataset.name, *sizes)
