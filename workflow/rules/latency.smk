# A stopwatch needs the machine for itself, so nothing runs beside this job. It times one seed only:
# a method's masks of another seed cost the same.
rule latency:
    input:
        checkpoint=PATHS.checkpoint,
        masks=scored(all_units(PATHS.mask)),
    output:
        PATHS.latency,
    log:
        PATHS.log("latency", OF_NETWORK),
    benchmark:
        PATHS.benchmark("latency", OF_NETWORK)
    conda:
        "../../envs/graphprune.yaml"
    # resource_settings.cores is None where Snakemake was called without --cores
    threads: workflow.resource_settings.cores or 1
    resources:
        **asks("latency"),
    params:
        repeats=config["latency"]["repeats"],
    script:
        "../scripts/latency.py"


LATENCIES = of_each_network(rules.latency.output, seed=config["seeds"][0])
