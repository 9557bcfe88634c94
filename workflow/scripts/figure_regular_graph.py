"""Draw the regular graph that covers most weights, and its adjacency matrix."""

from job import job

with job(snakemake) as log:
    from graphprune import figures, methods
    from graphprune.methods import results
    from graphprune.randomness import seed_of

    report = results.load_report(snakemake.input.report).numbers
    names = dict(snakemake.wildcards.items())
    method = methods.build(
        snakemake.params.method["name"],
        **snakemake.params.method["options"],
        seed=seed_of(
            snakemake.params.seed, "score", "{dataset}/{network}/{method}".format(**names)
        ),
    )
    title = "{dataset} · {network}".format(**names)
    if "nodes" in report:
        graph = method.graph(int(report["nodes"]), int(report["degree"]))
        figure = figures.regular_graph(graph, title)
    else:
        figure = figures.no_regular_graph(title)
    figures.save(figure, snakemake.output[0])
