# RGP's experiment: with nodes and degree fixed, does accuracy fall as the graph's paths get longer?
EXPERIMENT = config["rgp_aspl"]
ASPL = PATHS.aspl
GRAPHS = [f"{number:03d}" for number in range(EXPERIMENT["graphs"])]
TRAINING = training_of(config, EXPERIMENT, "train")
# what the jobs ask a scheduler for, see resources.smk
SEARCH = demands.Task("figures", units=EXPERIMENT["graphs"])
TRIALS = demands.Task(
    "train",
    EXPERIMENT["dataset"],
    EXPERIMENT["model"],
    batch=batch_of(TRAINING),
    passes=passes_of(TRAINING) * len(EXPERIMENT["seeds"]),
    device=config["device"],
)


rule rgp_aspl_graphs:
    output:
        graphs=f"{ASPL}/graphs.safetensors",
        table=f"{ASPL}/graphs.csv",
    log:
        PATHS.log("rgp_aspl_graphs"),
    benchmark:
        PATHS.benchmark("rgp_aspl_graphs")
    conda:
        "../../envs/graphprune.yaml"
    threads: 2
    resources:
        **asks("figures", lambda wildcards: SEARCH),
    params:
        **searched(),
    script:
        "../scripts/rgp_aspl_graphs.py"


# all seeds of a graph in one process
rule rgp_aspl_train:
    input:
        data=PATHS.dataset(EXPERIMENT["dataset"]),
        graphs=rules.rgp_aspl_graphs.output.graphs,
    output:
        f"{ASPL}/runs/{{graph}}.csv",
    log:
        PATHS.log("rgp_aspl_train", "{graph}"),
    benchmark:
        PATHS.benchmark("rgp_aspl_train", "{graph}")
    wildcard_constraints:
        graph="|".join(GRAPHS),
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("train", lambda wildcards: TRIALS),
    params:
        device=config["device"],
        model=EXPERIMENT["model"],
        seeds=EXPERIMENT["seeds"],
        settings=decisive(TRAINING),
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
        PATHS.log("rgp_aspl_correlate"),
    benchmark:
        PATHS.benchmark("rgp_aspl_correlate")
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("figures", lambda wildcards: SEARCH),
    params:
        dataset=EXPERIMENT["dataset"],
        model=EXPERIMENT["model"],
    script:
        "../scripts/rgp_aspl_correlate.py"


rule rgp_aspl_track:
    input:
        store=rules.store.output,
        correlation=rules.rgp_aspl_correlate.output.correlation,
        tables=[f"{ASPL}/runs.csv", rules.rgp_aspl_graphs.output.table],
        figures=[f"{ASPL}/figure.png", f"{ASPL}/figure.svg"],
        graphs=rules.rgp_aspl_graphs.output.graphs,
    output:
        PATHS.record("rgp_aspl"),
    log:
        PATHS.log("rgp_aspl_track"),
    benchmark:
        PATHS.benchmark("rgp_aspl_track")
    conda:
        "../../envs/graphprune.yaml"
    resources:
        **asks("figures", lambda wildcards: SEARCH),
    params:
        experiment=as_it_is(config["experiment"]),
        store=STORE,
        settings={**EXPERIMENT, "train": decisive(TRAINING)},
    script:
        "../scripts/rgp_aspl_track.py"


rule rgp_aspl:
    input:
        rules.rgp_aspl_correlate.output,
        rules.rgp_aspl_track.output,


localrules:
    rgp_aspl,
