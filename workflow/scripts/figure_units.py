"""Draw every unit's fine-tuning curve and layer densities."""

from job import job

with job(snakemake) as log:
    import json
    from pathlib import Path

    import pandas as pd

    from graphprune import figures

    units = zip(snakemake.input.metrics, snakemake.input.histories, snakemake.output, strict=True)
    for metrics_path, history_path, output in units:
        metrics = json.loads(Path(metrics_path).read_text())
        figure = figures.unit_figure(
            pd.read_csv(history_path),
            {row["layer"]: row["density"] for row in metrics["layers"]},
            metrics["method"],
            title="{dataset} · {network}, seed {seed}, {regime}, {method} ×{compression:g}".format(
                **metrics
            ),
            **{key: value for key, value in metrics.items() if key.startswith("accuracy_")},
        )
        figures.save(figure, output, formats=["png"])
