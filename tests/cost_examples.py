"""Units whose costs, as shares of the dense network's, are known."""

from __future__ import annotations

import pandas as pd

SHARES = {  # of dense, at compression 2, 8 and 32
    "rgp": {"latency_1": (2.0, 0.5, 0.25), "latency_64": (0.8, 0.4, 0.2)},
    "random": {"latency_1": (1.0, 1.0, 1.0), "latency_64": (1.5, 1.2, 1.01)},
}
RATIOS = (2, 8, 32)


def units(seeds=2, networks=(("digits", "mlp"),), regime="finetune", spread=0.0):
    rows = []
    for dataset, model in networks:
        for seed in range(seeds):
            for method, shares in SHARES.items():
                for i, ratio in enumerate(RATIOS):
                    wobble = 1.0 + spread * (seed - (seeds - 1) / 2)
                    rows.append(
                        {
                            "dataset": dataset,
                            "network": model,
                            "model": model,
                            "seed": seed,
                            "regime": regime,
                            "method": method,
                            "compression": ratio,
                            "params_total": 6400,
                            "params_kept": 6400 // ratio,
                            "flops_total": 1000,
                            "flops_kept": 1000 // ratio,
                            "file_size_total": 400,
                            "file_size_kept": 600 // ratio,
                            "latency_1_total": 1e-3,
                            "latency_1_kept": 1e-3 * shares["latency_1"][i] * wobble,
                            "latency_64_total": 4e-3,
                            "latency_64_kept": 4e-3 * shares["latency_64"][i] * wobble,
                        }
                    )
    return pd.DataFrame(rows)
