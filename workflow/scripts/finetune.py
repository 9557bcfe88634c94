"""Fine-tune (or train, in regime scratch) the pruned networks with their masks held."""

from job import job

with job(snakemake) as log:
    from graphprune import checkpoints, data
    from graphprune.files import write_csv
    from graphprune.layout import UnitPaths
    from graphprune.methods import results
    from graphprune.models import networks
    from graphprune.training import devices, live, loop
    from graphprune.training.regimes import after_pruning
    from graphprune.training.settings import Settings

    device = devices.use(snakemake.params.device)
    dataset = data.read(snakemake.input.data)
    sections = (snakemake.params.train, snakemake.params.finetune)
    units = zip(
        snakemake.params.compressions,
        snakemake.input.scores,
        snakemake.input.masks,
        snakemake.input.pruned,
        snakemake.output.finetuned,
        snakemake.output.histories,
        strict=True,
    )
    for ratio, scores_path, mask_path, pruned_path, finetuned_path, history_path in units:
        model, identity = networks.load(pruned_path)
        train, finetune = (Settings.of(part, identity.seed) for part in sections)
        settings = after_pruning(
            snakemake.wildcards.regime, train, finetune, results.epochs_trained(scores_path)
        )
        mask, _ = checkpoints.load(mask_path, "mask")
        wildcards = dict(snakemake.wildcards.items())
        unit = UnitPaths.of(snakemake.config["results"], history_path).id
        labels = {**wildcards, "model": identity.model, "compression": float(ratio)}
        with live.LiveCurve(snakemake.config["results"], unit, "finetune", labels) as curve:
            history = loop.train(
                model.to(device),
                dataset.train,
                settings,
                masks=mask,
                validation=dataset.validation,
                on_epoch=curve,
            )
        write_csv(history_path, history)
        networks.save(finetuned_path, model.state_dict(), identity)
