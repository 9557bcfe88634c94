"""The tables of all units, their summary, and its page."""

import json

import pandas as pd
import pytest

from graphprune.comparison import tables
from graphprune.errors import UserError


def unit(folder, **changes):
    metrics = {
        "dataset": "digits", "network": "mlp", "model": "mlp", "seed": 0, "regime": "finetune",
        "method": "magnitude", "compression": 2.0, "sparsity": 0.5, "params_total": 100,
        "params_kept": 50, "flops_total": 200, "flops_kept": 100, "accuracy_dense": 0.9,
        "file_size_total": 9, "file_size_kept": 5,
        "accuracy_pruned": 0.5, "accuracy_finetuned": 0.8, "epochs": 25, "seconds_score": 0.1,
        "seconds_finetune": 1.0, "report": {},
        "layers": [{"layer": "0.weight", "density": 0.5, "flops_kept": 100}],
    }  # fmt: skip
    metrics.update(changes)
    metrics["sparsity"] = 1 - metrics["params_kept"] / metrics["params_total"]
    path = folder / f"{metrics['method']}{metrics['seed']}{metrics['compression']}.json"
    path.write_text(json.dumps(metrics))
    return path


def test_tables_are_sorted_and_complete(tmp_path):
    paths = [unit(tmp_path, seed=seed, compression=c) for seed in (1, 0) for c in (8.0, 2.0)]
    units, layers = tables.tables(paths)
    assert list(units.columns) == tables.COLUMNS
    assert units[["seed", "compression"]].values.tolist() == [[0, 2], [0, 8], [1, 2], [1, 8]]
    assert len(layers) == 4
    assert set(layers.columns) == {*tables.UNIT_LABELS, "layer", "density", "flops_kept"}


def test_latencies_join_their_units(tmp_path):
    paths = [unit(tmp_path, seed=seed) for seed in (0, 1)]
    key = {"dataset": "digits", "network": "mlp", "model": "mlp", "seed": 0, "regime": "finetune"}
    key |= {"method": "magnitude", "compression": 2.0}
    rows = [
        {**key, "batch_size": size, "dense": size + 0.5, "masked": 9.0, "compact": size / 4}
        for size in (1, 64)
    ]
    timed = tmp_path / "latency.csv"
    pd.DataFrame(rows).to_csv(timed, index=False)
    units, _ = tables.tables(paths, [timed])
    assert units.loc[0, tables.LATENCIES].tolist() == [1.5, 0.25, 64.5, 16.0]
    assert units.loc[1, tables.LATENCIES].isna().all()
    bare, _ = tables.tables(paths)
    assert list(bare.columns) == list(units.columns)


def test_the_page_says_where_compact_networks_break_even(tmp_path):
    kept = {2.0: 50, 8.0: 25}
    paths = [unit(tmp_path, compression=c, params_kept=k) for c, k in kept.items()]
    units, _ = tables.tables(paths)
    assert "5 % faster" not in tables.summary_page(units)
    # a share of 2 of the dense latency at 2x, of 0.5 at 4x: 0.95 in between, at 2 / 0.95 / 2 x
    units["latency_64_total"] = 1.0
    units["latency_64_kept"] = [2.0, 0.5]
    page = tables.summary_page(units)
    assert "batch of 64" in page
    assert "batch of 1<" not in page
    assert f"{100 * 0.5 * (0.95 / 2) ** 0.5:.3g} %" in page


def test_a_file_that_is_no_unit_is_named(tmp_path):
    path = tmp_path / "odd.json"
    path.write_text("{}")
    with pytest.raises(UserError, match=r"odd\.json: not the metrics of a unit"):
        tables.tables([path])


def test_summary_by_hand(tmp_path):
    reached = [0.7, 0.8, 0.9]
    paths = [unit(tmp_path, seed=s, accuracy_finetuned=a) for s, a in enumerate(reached)]
    paths += [unit(tmp_path, seed=s, method="rgp", params_kept=25) for s in range(3)]
    units, _ = tables.tables(paths)
    row = tables.summary(units).set_index("method").loc["magnitude"]
    # t(0.975, 2) = 4.3027, standard deviation 10 points
    assert row.accuracy == pytest.approx(80)
    assert row.half_width == pytest.approx(4.302653 * 10 / 3**0.5)
    page = tables.summary_page(units)
    assert "80.0 ± 24.8" in page
    assert "(×4.0)" in page
    assert page.count("<h2>") == 1
    single = tables.summary(units[units.seed == 0])
    assert pd.isna(single.half_width).all()
