rule activations:
    input:
        data=PATHS.dataset(),
        checkpoint=PATHS.checkpoint,
    output:
        PATHS.activations,
    log:
        PATHS.log("activations", OF_NETWORK),
    benchmark:
        PATHS.benchmark("activations", OF_NETWORK)
    group:
        "dense"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("activations"),
    params:
        per_class=config["calibration"]["examples_per_class"],
        correct=True,
    script:
        "../scripts/activations.py"


# for methods that look at the untrained network, which classifies hardly anything correctly
use rule activations as initial_activations with:
    input:
        data=PATHS.dataset(),
        checkpoint=PATHS.initial,
    output:
        PATHS.initial_activations,
    log:
        PATHS.log("initial_activations", OF_NETWORK),
    benchmark:
        PATHS.benchmark("initial_activations", OF_NETWORK)
    params:
        per_class=config["calibration"]["examples_per_class"],
        correct=False,
