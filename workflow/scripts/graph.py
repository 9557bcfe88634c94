"""Describe the neural graph and write it out, its edges with their curvature."""

from job import job

with job(snakemake) as log:
    import numpy as np

    from graphprune import neural_graph
    from graphprune.curvature.exact import edge_curvatures
    from graphprune.files import write_json
    from graphprune.models import networks
    from graphprune.neural_graph import calibration, export
    from graphprune.neural_graph.vertex_values import tanh_factors

    model, identity = networks.load(snakemake.input.checkpoint)
    inputs, _ = calibration.read(snakemake.input.activations)
    options = dict(snakemake.params.options)
    folded = options.pop("fold_batchnorm", False)
    length = options.pop("edge_length", "weight")
    traced = neural_graph.trace(model, identity.input_shape, fold_batchnorm=folded)
    graph = traced.graph
    curvature = None
    if graph.edges <= snakemake.params.max_edges:
        values = neural_graph.values(traced, inputs)
        lowered = tanh_factors(traced, inputs) if length == "tanh" else None
        by_example = [
            edge_curvatures(
                graph,
                [layer[example] for layer in values],
                threads=snakemake.threads,
                factors=lowered and [layer[example] for layer in lowered],
                **options,
            )
            for example in range(len(inputs))
        ]
        curvature = [np.min(edges, axis=0) for edges in zip(*by_example, strict=True)]
    level = export.save(snakemake.output.graph, graph, curvature, snakemake.params.max_edges)
    write_json(snakemake.output.summary, {**export.describe(graph), "level": level})
    log.info("%d vertices, %d edges, written by %s", graph.vertices, graph.edges, level)
