"""Fine-tune the pruned networks with their masks held."""

from job import job

with job(snakemake) as log:
    from graphprune import checkpoints, data, networks, training
    from graphprune.files import write_csv

    dataset = data.read(snakemake.input.data)
    units = zip(
        snakemake.input.masks,
        snakemake.input.pruned,
        snakemake.output.finetuned,
        snakemake.output.histories,
        strict=True,
    )
    for mask_path, pruned_path, finetuned_path, history_path in units:
        model, identity = networks.load(pruned_path)
        mask, _ = checkpoints.load(mask_path, "mask")
        history = training.train(
            model,
            dataset.train,
            training.Settings.of(snakemake.params.settings, identity.seed),
            masks=mask,
            validation=dataset.validation,
            on_epoch=lambda row: log.info("%s", row),
        )
        write_csv(history_path, history)
        networks.save(finetuned_path, model.state_dict(), identity)
