"""Describe the neural graph and write it out, its edges with their curvature."""

from job import job

with job(snakemake) as log:
    import numpy as np

    from graphprune import activations, networks, neural_graph
    from graphprune.curvature.exact import edge_curvatures
    from graphprune.files import write_json
    from graphprune.neural_graph import export

    model, identity = networks.load(snakemake.input.checkpoint)
    inputs, _ = activations.read(snakemake.input.activations)
    traced = neural_graph.trace(model, identity.input_shape)
    graph = traced.graph
    curvature = None
    if graph.edges <= snakemake.params.max_edges:
        values = neural_graph.values(traced, inputs)
        examples = [[layer[example] for layer in values] for example in range(len(inputs))]
        found = [edge_curvatures(graph, example, threads=snakemake.threads) for example in examples]
        curvature = [np.min(edges, axis=0) for edges in zip(*found, strict=True)]
    level = export.save(snakemake.output.graph, graph, curvature, snakemake.params.max_edges)
    write_json(snakemake.output.summary, {**export.describe(graph), "level": level})
    log.info("%d vertices, %d edges, written by %s", graph.vertices, graph.edges, level)
