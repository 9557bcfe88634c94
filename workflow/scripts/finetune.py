"""Fine-tune (or train, in regime scratch) the pruned networks with their masks held."""

from job import job, made, partial, workers

with job(snakemake) as log:
    from graphprune import data
    from graphprune.files import write_csv
    from graphprune.layout import UnitPaths
    from graphprune.methods import results
    from graphprune.models import networks, pruned
    from graphprune.randomness import seed_of
    from graphprune.training import devices, live, loop
    from graphprune.training.regimes import after_pruning
    from graphprune.training.settings import Settings

    device = devices.use(snakemake.params.device)
    seen = networks.identity_of(snakemake.input.checkpoint).preprocess
    dataset = data.read(snakemake.input.data, seen, workers(snakemake))
    sections = (snakemake.params.train, snakemake.params.finetune)
    # each is kept until the job has written the outputs of all
    kept = [partial(snakemake, path) for path in snakemake.output.finetuned]
    units = zip(
        snakemake.params.compressions,
        snakemake.input.reports,
        snakemake.input.masks,
        snakemake.output.finetuned,
        snakemake.output.histories,
        kept,
        strict=True,
    )
    for ratio, report_path, mask_path, finetuned_path, history_path, unfinished in units:
        model, identity = networks.load_pruned(snakemake.input.checkpoint, mask_path)
        # of the network, so that all methods see the examples in one order
        seed = seed_of(identity.seed, "finetune", identity.of)
        train, finetune = (Settings.of(part, seed) for part in sections)
        trained = results.load_report(report_path).epochs_trained
        settings = after_pruning(snakemake.wildcards.regime, train, finetune, trained)
        wildcards = dict(snakemake.wildcards.items())
        unit = UnitPaths.of(snakemake.config["results"], history_path).id
        labels = {**wildcards, "model": identity.model, "compression": float(ratio)}
        with live.LiveCurve(snakemake.config["results"], unit, "finetune", labels) as curve:
            history = loop.train(
                model.to(device),
                dataset.train,
                settings,
                masks=pruned.read(mask_path),
                validation=dataset.validation,
                on_epoch=curve,
                scaling=dataset.scaling,
                partial=unfinished,
            )
        write_csv(history_path, history)
        said = made(snakemake, finetuned_path)
        networks.save(finetuned_path, model.state_dict(), identity, said, mask_path)
    for unfinished in kept:
        unfinished.remove()
