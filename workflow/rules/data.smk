rule data:
    output:
        PATHS.dataset(),
    log:
        PATHS.log("data", "{dataset}"),
    benchmark:
        PATHS.benchmark("data", "{dataset}")
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("data"),
    params:
        folder=as_it_is(config["data"]["folder"]),
        download=config["data"]["download"],
    script:
        "../scripts/data.py"
