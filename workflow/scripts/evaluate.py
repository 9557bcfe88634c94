"""Measure every unit on the test split: accuracy before and after fine-tuning, and its cost."""

from job import job

with job(snakemake) as log:
    from graphprune import data, devices, evaluation, networks, results
    from graphprune.files import write_json

    device = devices.use(snakemake.params.device)
    test = data.read(snakemake.input.data).test
    dense, identity = networks.load(snakemake.input.checkpoint)
    dense_accuracy = evaluation.accuracy(dense.to(device), test)
    scores = list(snakemake.input.scores)
    if len(scores) < len(snakemake.params.compressions):
        scores = scores * len(snakemake.params.compressions)
    for at, output in enumerate(snakemake.output):
        metrics = results.unit_metrics(
            identity=identity,
            regime=snakemake.wildcards.regime,
            train_epochs=snakemake.params.train["epochs"],
            method=snakemake.wildcards.method,
            compression=float(snakemake.params.compressions[at]),
            dense_accuracy=dense_accuracy,
            test=test,
            device=device,
            scores=scores[at],
            mask=snakemake.input.masks[at],
            pruned=snakemake.input.pruned[at],
            finetuned=snakemake.input.finetuned[at],
            history=snakemake.input.histories[at],
        )
        write_json(output, metrics)
        log.info("%s", metrics)
