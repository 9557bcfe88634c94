# A stopwatch wants the machine for itself: one job at a time, of one seed, since a method's masks
# of another seed cost the same.
rule latency:
    input:
        checkpoint=CHECKPOINT,
        masks=all_units("mask.safetensors"),
    output:
        f"{RUN}/latency.csv",
    log:
        f"{RESULTS}/logs/latency/{{dataset}}-{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/latency/{{dataset}}-{{model}}-seed{{seed}}.tsv"
    conda:
        "../../envs/graphprune.yaml"
    # without --cores as well
    threads: workflow.resource_settings.cores or 1
    resources:
        mem_mb=memory("latency"),
        runtime=minutes("latency"),
    params:
        units=[
            {"regime": regime, "method": method, "compression": float(ratio)}
            for regime, method in PAIRS
            for ratio in COMPRESSIONS
        ],
        repeats=config["latency"]["repeats"],
    script:
        "../scripts/latency.py"


LATENCIES = of_each_network(rules.latency.output, seed=config["seeds"][0])
