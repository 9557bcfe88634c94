"""Draw the neural graph, its edges coloured by their curvature."""

from job import job

with job(snakemake) as log:
    import graph_tool

    from graphprune import figures
    from graphprune.neural_graph import export

    graph = graph_tool.load_graph(snakemake.input.graph[0])
    if graph.graph_properties["level"] == "layer":
        for path in snakemake.output:
            export.draw(path, graph)
    else:
        edges = graph.get_edges()
        figure = figures.neural_graph(
            edges[:, 0],
            edges[:, 1],
            graph.vertex_properties["layer"].a,
            graph.edge_properties["curvature"].a,
            tuple(graph.graph_properties["layer_names"]),
            "{dataset} · {network}".format(**dict(snakemake.wildcards.items())),
        )
        figures.save(figure, snakemake.output[0])
