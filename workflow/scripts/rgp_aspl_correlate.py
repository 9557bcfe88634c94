"""Correlate accuracy with path length over all graphs, and draw it."""

from job import job

with job(snakemake) as log:
    import pandas as pd

    from graphprune import figures, regular_graphs
    from graphprune.files import atomic, write_json

    graphs = pd.read_csv(snakemake.input.graphs)
    parts = [pd.read_csv(path, float_precision="round_trip") for path in snakemake.input.runs]
    runs = pd.concat(parts, ignore_index=True)
    n, k = int(graphs["n"][0]), int(graphs["k"][0])
    correlation = regular_graphs.aspl_accuracy_correlation(runs)
    ends = runs.groupby("aspl")["accuracy"].mean()
    title = (
        f"{snakemake.params.dataset} · {snakemake.params.model}, graphs of {n} nodes, degree {k}"
    )
    bound = float(graphs["moore_bound"][0])
    figure = figures.accuracy_against_aspl(runs, correlation, title, bound)
    figures.save(figure, snakemake.output.png)
    with atomic(snakemake.output.runs) as temporary:
        runs.to_csv(temporary, index=False)
    write_json(
        snakemake.output.correlation,
        {
            **vars(correlation),
            "dataset": snakemake.params.dataset,
            "model": snakemake.params.model,
            "nodes": n,
            "degree": k,
            "density": float((runs["params_kept"] / runs["params_total"]).mean()),
            "aspl_shortest": float(ends.index[0]),
            "aspl_longest": float(ends.index[-1]),
            "accuracy_shortest": float(ends.iloc[0]),
            "accuracy_longest": float(ends.iloc[-1]),
        },
    )
    log.info("%s", correlation)
