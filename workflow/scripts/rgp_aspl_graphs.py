"""Search regular graphs spread over the reachable path lengths."""

from job import job

with job(snakemake) as log:
    from graphprune import regular_graphs
    from graphprune.files import write_csv
    from graphprune.regular_graphs import trials

    graphs = regular_graphs.graphs_across_aspl(
        snakemake.params.nodes,
        snakemake.params.degree,
        snakemake.params.graphs,
        snakemake.params.seed,
        evaluations=snakemake.params.evaluations,
        threads=snakemake.threads,
        on_graph=lambda graph: log.info("graph of ASPL %.3f", regular_graphs.aspl(graph)),
    )
    write_csv(snakemake.output.table, trials.graph_table(graphs))
    trials.save_graphs(snakemake.output.graphs, graphs)
