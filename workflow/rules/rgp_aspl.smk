# RGP's experiment: at fixed nodes and degree, does accuracy fall as the graph's paths get longer?
EXPERIMENT = config["rgp_aspl"]
ASPL = f"{RESULTS}/rgp_aspl"
GRAPHS = [f"{number:03d}" for number in range(EXPERIMENT["graphs"])]
TRAINING = {**config["train"], **EXPERIMENT["train"]}
# what the jobs ask a scheduler for, see resources.smk
SEARCH = demands.Task("figures", units=EXPERIMENT["graphs"])
TRIALS = demands.Task(
    "train",
    EXPERIMENT["dataset"],
    EXPERIMENT["model"],
    batch=TRAINING.get("batch_size", 64),
    passes=TRAINING["epochs"] * len(EXPERIMENT["seeds"]),
    device=config["device"],
)


rule rgp_aspl_graphs:
    output:
        graphs=f"{ASPL}/graphs.safetensors",
        table=f"{ASPL}/graphs.csv",
    log:
        f"{RESULTS}/logs/rgp_aspl_graphs.log",
    benchmark:
        f"{RESULTS}/benchmarks/rgp_aspl_graphs.tsv"
    conda:
        "../../envs/graphprune.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: attempt * demands.memory(SEARCH),
        runtime=lambda wildcards, attempt: attempt * demands.minutes(SEARCH),
    params:
        nodes=EXPERIMENT["nodes"],
        degree=EXPERIMENT["degree"],
        graphs=EXPERIMENT["graphs"],
        evaluations=EXPERIMENT["evaluations"],
        seed=EXPERIMENT["seeds"][0],
    script:
        "../scripts/rgp_aspl_graphs.py"


# all seeds of a graph in one process
rule rgp_aspl_train:
    input:
        data=DATA.format(dataset=EXPERIMENT["dataset"]),
        graphs=rules.rgp_aspl_graphs.output.graphs,
    output:
        f"{ASPL}/runs/{{graph}}.csv",
    log:
        f"{RESULTS}/logs/rgp_aspl_train/{{graph}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rgp_aspl_train/{{graph}}.tsv"
    wildcard_constraints:
        graph="|".join(GRAPHS),
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * demands.memory(TRIALS),
        gpu=gpus,
        runtime=lambda wildcards, attempt: attempt * demands.minutes(TRIALS),
    params:
        device=config["device"],
        model=EXPERIMENT["model"],
        seeds=EXPERIMENT["seeds"],
        settings=TRAINING,
    script:
        "../scripts/rgp_aspl_train.py"


rule rgp_aspl_correlate:
    input:
        graphs=rules.rgp_aspl_graphs.output.table,
        runs=expand(rules.rgp_aspl_train.output[0], graph=GRAPHS),
    output:
        runs=f"{ASPL}/runs.csv",
        correlation=f"{ASPL}/correlation.json",
        png=f"{ASPL}/figure.png",
        svg=f"{ASPL}/figure.svg",
    log:
        f"{RESULTS}/logs/rgp_aspl_correlate.log",
    benchmark:
        f"{RESULTS}/benchmarks/rgp_aspl_correlate.tsv"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * demands.memory(SEARCH),
        runtime=lambda wildcards, attempt: attempt * demands.minutes(SEARCH),
    params:
        dataset=EXPERIMENT["dataset"],
        model=EXPERIMENT["model"],
    script:
        "../scripts/rgp_aspl_correlate.py"


rule rgp_aspl_track:
    input:
        store=rules.store.output,
        correlation=rules.rgp_aspl_correlate.output.correlation,
        tables=[
            rules.rgp_aspl_correlate.output.runs,
            rules.rgp_aspl_graphs.output.table,
        ],
        figures=[
            rules.rgp_aspl_correlate.output.png,
            rules.rgp_aspl_correlate.output.svg,
        ],
        graphs=rules.rgp_aspl_graphs.output.graphs,
    output:
        f"{RESULTS}/tracking/rgp_aspl.json",
    log:
        f"{RESULTS}/logs/rgp_aspl_track.log",
    benchmark:
        f"{RESULTS}/benchmarks/rgp_aspl_track.tsv"
    conda:
        "../../envs/graphprune.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * demands.memory(SEARCH),
        runtime=lambda wildcards, attempt: attempt * demands.minutes(SEARCH),
    params:
        experiment=config["experiment"],
        store=STORE,
        settings={**EXPERIMENT, "train": TRAINING},
    script:
        "../scripts/rgp_aspl_track.py"


rule rgp_aspl:
    input:
        rules.rgp_aspl_correlate.output,
        rules.rgp_aspl_track.output,


localrules:
    rgp_aspl,
