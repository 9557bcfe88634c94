"""Measure every unit on the test split: accuracy before and after fine-tuning, and its cost."""

from job import job, made, workers

with job(snakemake) as log:
    from graphprune import data
    from graphprune.comparison.unit import unit_metrics
    from graphprune.files import write_json
    from graphprune.models import networks
    from graphprune.training import devices, evaluation

    device = devices.use(snakemake.params.device)
    dense, identity = networks.load(snakemake.input.checkpoint)
    test = data.read(snakemake.input.data, identity.preprocess, workers(snakemake)).test
    dense_accuracy = evaluation.accuracy(dense.to(device), test)
    units = zip(
        snakemake.params.compressions,
        snakemake.input.reports,
        snakemake.input.masks,
        snakemake.input.finetuned,
        snakemake.input.histories,
        snakemake.output,
        strict=True,
    )
    for ratio, report, mask, finetuned, history, output in units:
        metrics = unit_metrics(
            identity=identity,
            regime=snakemake.wildcards.regime,
            train_epochs=snakemake.params.train["epochs"],
            finetune_epochs=snakemake.params.finetune["epochs"],
            method=snakemake.wildcards.method,
            compression=float(ratio),
            dense_accuracy=dense_accuracy,
            test=test,
            device=device,
            report=report,
            start=snakemake.input.start,
            mask=mask,
            finetuned=finetuned,
            history=history,
        )
        write_json(output, metrics, made(snakemake, output))
        log.info("%s", metrics)
