"""Fine-tune (or train, in regime scratch) the pruned networks with their masks held."""

from job import job

with job(snakemake) as log:
    from pathlib import Path

    from graphprune import checkpoints, data, devices, live, networks, results, training
    from graphprune.files import write_csv
    from graphprune.regimes import after_pruning

    device = devices.use(snakemake.params.device)
    dataset = data.read(snakemake.input.data)
    sections = (snakemake.params.train, snakemake.params.finetune)
    scores = list(snakemake.input.scores)
    if len(scores) < len(snakemake.input.masks):
        scores = scores * len(snakemake.input.masks)
    units = zip(
        scores,
        snakemake.input.masks,
        snakemake.input.pruned,
        snakemake.output.finetuned,
        snakemake.output.histories,
        strict=True,
    )
    for scores_path, mask_path, pruned_path, finetuned_path, history_path in units:
        model, identity = networks.load(pruned_path)
        train, finetune = (training.Settings.of(part, identity.seed) for part in sections)
        settings = after_pruning(
            snakemake.wildcards.regime, train, finetune, results.epochs_trained(scores_path)
        )
        mask, _ = checkpoints.load(mask_path, "mask")
        folder = Path(history_path).parent
        labels = {**snakemake.wildcards, "compression": float(folder.name.removeprefix("x"))}
        with live.LiveCurve(snakemake.params.results, folder, "finetune", labels) as curve:
            history = training.train(
                model.to(device),
                dataset.train,
                settings,
                masks=mask,
                validation=dataset.validation,
                on_epoch=curve,
            )
        write_csv(history_path, history)
        networks.save(finetuned_path, model.state_dict(), identity)
