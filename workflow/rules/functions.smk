# Functions that rules take their files and params from.


def of_units(pattern, compressions=COMPRESSIONS):
    """``pattern`` of the unit at every one of the ratios; other wildcards stay."""
    return expand(pattern, compression=compressions, allow_missing=True)


def of_networks(pattern, **wildcards):
    """``pattern`` for every network and seed of the configuration."""
    return of_each_network(pattern, seed=config["seeds"], **wildcards)


def of_each_network(pattern, pairs=NETWORKS, **wildcards):
    """``pattern`` for every network among ``pairs``, without units that are left out."""
    methods = wildcards.pop("method", None)
    return [
        path
        for dataset, network in pairs
        for method in as_list(methods)
        if (dataset, network, method) not in LEFT_OUT
        for path in expand(
            pattern, dataset=dataset, network=network, method=method, **wildcards
        )
        if is_scored(path)
    ]


def as_list(names):
    return names if isinstance(names, list) else [names]


def is_scored(path):
    """Whether the file at ``path`` belongs to, or serves, a method that can score its network."""
    parts = Path(path).parts[len(Path(RESULTS).parts) :]
    for pairs, of in ((LOOKED_AT, [PATHS.activations]), (GRAPHED, graph_files())):
        if Path(path).name in {Path(one).name for one in of}:
            return parts[:2] in pairs
    return len(parts) < 6 or (parts[0], parts[1], parts[4]) not in LEFT_OUT


def graph_files():
    return [PATHS.graph_summary, PATHS.graph]


def scored(patterns):
    """``patterns`` of units, or an input function that leaves out those without scores."""
    if not LEFT_OUT:
        return patterns
    return lambda wildcards: [
        path
        for pattern in as_list(patterns)
        if is_scored(path := pattern.format(**wildcards))
    ]


def of_methods(pattern, pairs=PAIRS, **wildcards):
    """``pattern`` for every regime and method among ``pairs``; other wildcards stay."""
    return [
        path
        for regime, method in pairs
        for path in expand(
            pattern, regime=regime, method=method, allow_missing=True, **wildcards
        )
    ]


def of_seeds(patterns, seeds):
    return expand(patterns, seed=seeds, allow_missing=True)


def all_units(pattern):
    """``pattern`` of every unit of a network."""
    return of_methods(pattern, compression=COMPRESSIONS)


def with_figure(name, regimes=REGIMES):
    """The pairs of regime and label, among ``regimes``, whose method has this figure."""
    return [
        (regime, label)
        for regime, label in PAIRS
        if name in CLASSES[label].figures and regime in regimes
    ]


def as_it_is(text):
    """A param that Snakemake does not search for wildcards: users may write braces."""
    return lambda wildcards: text


def network_of(wildcards):
    """What the configuration says of the wildcards' network."""
    return NETWORKS[wildcards.dataset, wildcards.network]


def scoring_files(wildcards):
    """Input function: what the wildcards' method looks at: a network, and examples if it needs any."""
    examples = {
        "none": {},
        "calibration": {"calibration": EXAMPLES[wildcards.regime]},
        "training": {"data": PATHS.dataset()},
    }[CLASSES[wildcards.method].examples]
    files = {"checkpoint": START[wildcards.regime], **examples}
    return {key: path.format(**wildcards) for key, path in files.items()}


def brought_weights(wildcards):
    """Input function: the fetched weights of the wildcards' network, where it has published ones."""
    source = SOURCES[wildcards.dataset, wildcards.network]
    return {"weights": PATHS.weights(source.in_paths)} if source.published else {}


def start_of(wildcards):
    """Input function: the network that the wildcards' regime begins with."""
    return START[wildcards.regime].format(**wildcards)


def scores_at(ratios):
    """Input function: for each of the ratios the scores that its mask is made from.

    None where the masks are there: scores are removed once they are used, and a job that makes them
    again for other ratios is to leave these alone.
    """

    def files(wildcards):
        masks = [PATHS.mask.format(**wildcards, compression=ratio) for ratio in ratios]
        if not any(map(to_be_made, masks)):
            return []
        learned = wildcards.method in LEARNED
        pattern = PATHS.scores if learned else PATHS.ranking
        return [pattern.format(**wildcards, compression=ratio) for ratio in ratios]

    return files


def reports_at(ratios):
    """Input function: for each of the ratios what its method reported of the scores."""

    def files(wildcards):
        learned = wildcards.method in LEARNED
        pattern = PATHS.scores_report if learned else PATHS.ranking_report
        return [pattern.format(**wildcards, compression=ratio) for ratio in ratios]

    return files


def passing(path):
    """The output ``path`` of scores: removed once used, unless they are to be kept."""
    return path if config["keep_scores"] else temp(path)


def score_reports():
    """What every method of a network reported."""
    ranked = [pair for pair in PAIRS if pair[1] in RANKED]
    learned = [pair for pair in PAIRS if pair[1] in LEARNED]
    return of_methods(PATHS.ranking_report, ranked) + of_methods(
        PATHS.scores_report, learned, compression=COMPRESSIONS
    )


def drawn(name, caption, group="{dataset} {network}", **labels):
    """A figure as PNG, shown in the report, and as SVG beside it."""
    shown = report(
        PATHS.figure(name),
        caption=f"../report/{caption}.rst",
        category="Figures",
        subcategory=group,
        labels=labels,
    )
    return [shown, PATHS.figure(name, "svg")]


def units_csv():
    """The table of all units, shown in the report."""
    return report(
        PATHS.units_csv,
        caption="../report/metrics.rst",
        category="Comparison",
        labels={"table": "all units"},
    )


def figures_of_all():
    """The figures of the comparison: output's name -> files."""
    figures = {
        # output: file, caption, label
        "pruned": ("accuracy_pruned", "accuracy_pruned", "before fine-tuning"),
        "finetuned": ("accuracy_finetuned", "accuracy_finetuned", "after fine-tuning"),
        "cost": ("scoring_cost", "cost", "time to score"),
        "savings": ("cost", "savings", "FLOPs, file size and latency"),
    }
    return {
        output: drawn(name, caption, group="Comparison", figure=label)
        for output, (name, caption, label) in figures.items()
    }


def figures_of_removal():
    """The figures that show what removing weights by a method's scores does."""
    name = "{method}-{dataset}-{network}"
    return {
        "histogram": drawn(
            f"histogram-{name}", "histogram", figure="histogram of {method}"
        ),
        "removal": drawn(f"removal-{name}", "removal", figure="removal by {method}"),
    }


def of_trained(pattern, seed):
    """``pattern`` in regime finetune, in which a method sees the trained network."""
    return expand(pattern, seed=seed, regime="finetune", allow_missing=True)


def metrics_of_seeds_and_ratios(wildcards):
    """Input function: the metrics of all units of the wildcards' network, regime and method."""
    return [
        PATHS.metrics.format(**wildcards, seed=seed, compression=ratio)
        for seed in config["seeds"]
        for ratio in COMPRESSIONS
    ]


def middle_report(wildcards):
    """Input function: what the wildcards' method reported at the middle ratio.

    It is that of its first regime and of the first seed.
    """
    return PATHS.scores_report.format(
        **wildcards,
        seed=config["seeds"][0],
        regime=METHODS[wildcards.method]["regimes"][0],
        compression=COMPRESSIONS[len(COMPRESSIONS) // 2],
    )


def record_batches():
    """Suffix of the rules' names -> the seeds whose records share one process.

    Opening MLflow takes longer than recording a small network, so all seeds share a process. If
    every unit is a job of its own, because trainings are long, each seed is recorded by itself as
    soon as its units are finished.
    """
    if config["compressions_per_job"] == 1:
        return {f"_seed{seed}": [seed] for seed in config["seeds"]}
    return {"": config["seeds"]}


def recorded_files(seeds):
    """The inputs of a job that records the networks of these seeds."""
    removals = with_figure("removal_curves", ["finetune"])
    files = {
        "checkpoints": PATHS.checkpoint,
        "histories": PATHS.dense_history,
        "activations": [PATHS.activations] if LOOKED_AT else [],
        "graph": graph_files() if GRAPHED else [],
        "reports": score_reports(),
        "removal": of_methods(PATHS.removal, removals),
        "metrics": all_units(PATHS.metrics),
        "finetuned": all_units(PATHS.finetuned),
        "histories_of_units": all_units(PATHS.history),
        "masks": all_units(PATHS.mask),
    }
    timed = [seed for seed in seeds if seed == config["seeds"][0]]
    latency = {"latency": of_seeds(PATHS.latency, timed)}
    files = {name: scored(of_seeds(paths, seeds)) for name, paths in files.items()}
    return files | latency


def unit_files(ratios, *names):
    """The files of these names of the units at these ratios."""
    files = {
        "masks": PATHS.mask,
        "finetuned": PATHS.finetuned,
        "histories": PATHS.history,
    }
    return {name: of_units(files[name], ratios) for name in names}
