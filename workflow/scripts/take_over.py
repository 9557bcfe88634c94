"""Make a network that was trained elsewhere the dense network, and measure it."""

from job import job, made, workers

with job(snakemake) as log:
    from graphprune import checkpoints, data
    from graphprune.data.preprocess import Preprocess
    from graphprune.files import write_csv
    from graphprune.models import networks
    from graphprune.pretrained import fetching, reading
    from graphprune.training import devices, evaluation

    params, wildcards = snakemake.params, snakemake.wildcards
    preprocess = dict(params.preprocess)
    dataset = data.read(snakemake.input.data, preprocess, workers(snakemake))
    Preprocess.of(preprocess).check_classes(dataset.classes, dataset.name)
    # they have been compared; the network sees images alone
    preprocess.pop("classes", None)
    identity = networks.Identity(
        dataset.name,
        params.network["model"],
        dataset.input_shape,
        len(dataset.classes),
        int(wildcards.seed),
        wildcards.network,
        params.network["options"],
        preprocess,
    )
    if weights := snakemake.input.get("weights"):
        tensors, _ = checkpoints.load(weights, fetching.KIND)
    else:
        tensors = reading.read(params.checkpoint, params.sha256)
    model = identity.build()
    reading.fill(model, tensors, params.checkpoint)
    model.eval()
    # no epoch was trained here
    write_csv(snakemake.output.history, [])
    taken = snakemake.output.checkpoint
    networks.save(taken, model.state_dict(), identity, made(snakemake, taken))
    if params.remark:
        log.warning("%s", params.remark)
    accuracy = evaluation.accuracy(model.to(devices.use(params.device)), dataset.test)
    log.info(
        "%s: accuracy %.6f on the %d test images of %s; published: %s",
        *(params.checkpoint, accuracy, len(dataset.test), dataset.name),
        params.published or "nothing",
    )
