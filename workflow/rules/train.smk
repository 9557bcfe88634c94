rule train:
    input:
        data=PATHS.dataset(),
    output:
        initial=PATHS.initial,
        checkpoint=PATHS.checkpoint,
        history=PATHS.dense_history,
    log:
        PATHS.log("train", OF_NETWORK),
    benchmark:
        PATHS.benchmark("train", OF_NETWORK)
    wildcard_constraints:
        network=among(TRAINED),
    group:
        "dense"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("train"),
    params:
        **trained(),
    script:
        "../scripts/train.py"
