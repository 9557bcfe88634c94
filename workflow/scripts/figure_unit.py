"""Draw a unit's fine-tuning curve and layer densities."""

from job import job

with job(snakemake) as log:
    import pandas as pd

    from graphprune import figures
    from graphprune.comparison import reading

    metrics = reading.metrics(snakemake.input.metrics)
    title = "{dataset} · {network}, seed {seed}, {regime}, {method} ×{compression:g}"
    figure = figures.unit_figure(
        pd.DataFrame(reading.history(snakemake.input.history)),
        {row["layer"]: row["density"] for row in metrics["layers"]},
        metrics["method"],
        title=title.format(**metrics),
        **{key: value for key, value in metrics.items() if key.startswith("accuracy_")},
    )
    figures.save(figure, snakemake.output[0], formats=["png"])
