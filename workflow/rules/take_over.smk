# published weights, fetched once where Snakemake runs, so that compute nodes need no network
rule fetch:
    output:
        PATHS.weights(),
    log:
        PATHS.log("fetch", "{weights}"),
    benchmark:
        PATHS.benchmark("fetch", "{weights}")
    wildcard_constraints:
        weights=one_of(sorted(PUBLISHED)),
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("records"),
    params:
        checkpoint=lambda wildcards: PUBLISHED[wildcards.weights].text,
        folder=as_it_is(config["data"]["folder"]),
        download=config["data"]["download"],
    script:
        "../scripts/fetch.py"


# in place of train: a network that was trained elsewhere becomes the dense network of every seed
rule take_over:
    input:
        unpack(brought_weights),
        data=PATHS.dataset(),
    output:
        checkpoint=PATHS.checkpoint,
        history=PATHS.dense_history,
    log:
        PATHS.log("take_over", OF_NETWORK),
    benchmark:
        PATHS.benchmark("take_over", OF_NETWORK)
    wildcard_constraints:
        network=among(BROUGHT),
    group:
        "dense"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("train"),
    params:
        **taken_over(),
    script:
        "../scripts/take_over.py"
