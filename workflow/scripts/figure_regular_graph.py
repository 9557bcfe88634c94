"""Draw the regular graph that covers most weights, and its adjacency matrix."""

from job import job

with job(snakemake) as log:
    from graphprune import figures, methods
    from graphprune.methods import results

    report, _ = results.report_of(snakemake.input.scores)
    method = methods.build(
        snakemake.params.method["name"],
        **snakemake.params.method["options"],
        seed=snakemake.params.seed,
    )
    graph = method.graph(int(report["nodes"]), int(report["degree"]))
    title = "{dataset} · {network}".format(**dict(snakemake.wildcards.items()))
    figures.save(figures.regular_graph(graph, title), snakemake.output[0])
