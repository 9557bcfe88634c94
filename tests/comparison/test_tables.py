"""The tables of all units, their summary, and its page."""

import itertools
import json
import re
from html import unescape

import numpy as np
import pandas as pd
import pytest
from scipy import stats

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


REACHED = {2.0: 48, 8.0: 12}


def many(folder):
    """Units of two networks, regimes and methods, no two numbers alike; `few` lacks a seed."""
    rng = np.random.default_rng(0)
    found = []
    for number, (network, seed, regime, method, ratio) in enumerate(
        itertools.product(
            ("mlp", "few"), (2, 0, 1), ("scratch", "finetune"), ("rgp", "magnitude"), (8.0, 2.0)
        )
    ):
        if network == "few" and seed == 2:
            continue
        changes = {"network": network, "seed": seed, "regime": regime, "method": method}
        changes |= {"compression": ratio, "params_total": 100, "params_kept": REACHED[ratio] + seed}
        size = 1 + (network == "few")
        # the same for all units of a network; the others differ in each
        changes |= {"flops_total": 5000 * size, "file_size_total": 3000 * size}
        changes |= {"flops_kept": 3 * number, "file_size_kept": 1000 + number}
        changes["epochs"] = 2000 + number
        floats = ("sparsity", "accuracy_pruned", "accuracy_finetuned")
        changes |= {name: float(rng.uniform()) for name in floats}
        changes |= {
            name: float(rng.uniform(1, 9)) for name in ("seconds_score", "seconds_finetune")
        }
        changes["accuracy_dense"] = 0.9 + 0.01 * seed + 0.05 * (network == "few")
        layers = [("b", 0.5 / ratio, number), ("a", 0.25 / ratio, 2 * number)]
        changes["layers"] = [dict(zip(LAYER, layer, strict=True)) for layer in layers]
        here = folder / str(number)
        here.mkdir()
        found.append(unit(here, **changes))
    return found


LAYER = ("layer", "density", "flops_kept")


def test_every_number_stands_where_it_belongs(tmp_path):
    paths = many(tmp_path)
    units, layers = tables.tables(paths)
    originals = {}
    for path in paths:
        metrics = json.loads(path.read_text())
        originals[tuple(metrics[key] for key in tables.KEY)] = metrics
    assert len(units) == len(originals) == 40
    for row in units.to_dict("records"):
        metrics = originals[tuple(row[key] for key in tables.KEY)]
        for column in (*tables.UNIT_LABELS, *tables.UNIT_METRICS):
            assert row[column] == metrics[column], column
        key = dict(zip(tables.KEY, (row[key] for key in tables.KEY), strict=True))
        mine = layers[(layers[list(key)] == pd.Series(key)).all(axis=1)]
        assert mine[list(LAYER)].to_dict("records") == metrics["layers"]
    keys = [tuple(row) for row in units[tables.KEY].to_numpy()]
    assert keys == sorted(keys)
    assert list(dict.fromkeys(tuple(row) for row in layers[tables.KEY].to_numpy())) == keys
    assert list(units.index) == list(range(40))
    assert list(layers.index) == list(range(80))


def test_latencies_of_several_networks_find_their_units(tmp_path):
    paths = many(tmp_path)
    rows = {"mlp": [], "few": []}
    times = np.random.default_rng(1).uniform(1, 2, size=1000).tolist()
    wanted = {}
    for path in paths:
        metrics = json.loads(path.read_text())
        key = {name: metrics[name] for name in tables.KEY}
        if key["seed"] != 0:
            continue
        for size in (1, 64):
            dense, compact, masked = times.pop(), times.pop(), times.pop()
            timed = {"compact": compact, "dense": dense, "masked": masked}
            rows[key["network"]].append({**key, "model": "mlp", "batch_size": size, **timed})
            wanted[(*key.values(), size)] = dense, compact
    files = []
    for network, found in rows.items():
        files.append(tmp_path / f"{network}.csv")
        pd.DataFrame(found).sample(frac=1, random_state=0).to_csv(files[-1], index=False)
    units, _ = tables.tables(paths, files)
    assert len(units) == 40
    for row in units.to_dict("records"):
        key = tuple(row[name] for name in tables.KEY)
        for size in (1, 64):
            found = row[f"latency_{size}_total"], row[f"latency_{size}_kept"]
            if row["seed"] != 0:
                assert np.isnan(found).all()
            else:
                assert found == pytest.approx(wanted[(*key, size)])


def test_the_summary_is_taken_over_the_seeds(tmp_path):
    paths = many(tmp_path)
    units, _ = tables.tables(paths)
    found = tables.summary(units)
    columns = ["dataset", "network", "regime", "method", "compression"]
    assert list(found.columns) == [*columns, "achieved", "seeds", "accuracy", "half_width"]
    assert len(found) == 2 * 2 * 2 * 2
    originals = [json.loads(path.read_text()) for path in paths]
    for row in found.to_dict("records"):
        mine = [m for m in originals if all(m[name] == row[name] for name in columns)]
        assert row["seeds"] == len(mine) == (3 if row["network"] == "mlp" else 2)
        reached = 100 * np.array([m["accuracy_finetuned"] for m in mine])
        low, high = stats.t.interval(0.95, len(mine) - 1, reached.mean(), stats.sem(reached))
        assert row["accuracy"] == pytest.approx(reached.mean())
        assert row["half_width"] == pytest.approx((high - low) / 2)
        ratios = [m["params_total"] / m["params_kept"] for m in mine]
        assert row["achieved"] == pytest.approx(sum(ratios) / len(ratios))


def cells(page):
    """Headings and the cells of each table of a page, row by row."""
    parts = re.split(r"<h2>(.*?)</h2>", page)[1:]
    found = {}
    for heading, body in zip(parts[::2], parts[1::2], strict=True):
        grid = []
        for line in re.findall(r"<tr.*?>(.*?)</tr>", body, re.DOTALL):
            grid.append([unescape(c) for c in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", line)])
        found[unescape(heading)] = grid
    return found


def test_the_page_shows_the_summary_and_the_dense_networks_over_their_seeds(tmp_path):
    paths = many(tmp_path)
    units, _ = tables.tables(paths)
    # more units of a seed do not make it count more
    units = units[(units.seed > 0) | (units.method == "rgp") | (units.network == "few")]
    found = cells(tables.summary_page(units))
    # 90, 91 and 92 percent: standard error 1/sqrt(3), t(0.975, 2) = 4.302653; 95 and 96: 12.706205
    assert list(found) == ["digits · few: dense 95.5 ± 6.4", "digits · mlp: dense 91.0 ± 2.5"]
    for heading, grid in found.items():
        network = heading.split()[2].rstrip(":")
        head = [row for row in grid if "compression 2" in row]
        assert [cell for cell in head[0] if cell] == ["compression 2", "compression 8"]
        shown = {}
        regime = ""
        for row in (row for row in grid if row[-1] and row not in head and len(row) > 2):
            *names, two, eight = row
            regime = names[0] if len(names) == 2 else regime
            shown[regime, names[-1]] = [two, eight]
        shown.pop(("regime", "method"), None)
        assert len(shown) == 4
        for (regime, method), texts in shown.items():
            for ratio, text in zip((2.0, 8.0), texts, strict=True):
                mine = units[
                    (units.network == network)
                    & (units.regime == regime)
                    & (units.method == method)
                    & (units.compression == ratio)
                ]
                reached = 100 * mine.accuracy_finetuned.to_numpy()
                half = stats.t.ppf(0.975, len(mine) - 1) * stats.sem(reached)
                achieved = (mine.params_total / mine.params_kept).mean()
                wanted = f"{reached.mean():.1f} ± {half:.1f}"
                if not 0.98 <= achieved / ratio <= 1.02:
                    wanted += f" (×{achieved:.1f})"
                assert text == wanted


def test_a_ratio_within_2_percent_is_not_given_again(tmp_path):
    kept = {49: "(×2.0)", 50: "", 51: ""}
    for number, (count, text) in enumerate({**kept, 40: "(×2.5)", 60: "(×1.7)"}.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        page = tables.summary_page(tables.tables([unit(folder, params_kept=count)])[0])
        found = re.findall(r"<td>80\.0(.*?)</td>", page)
        assert [part.strip() for part in found] == [text]
        assert "dense 90.0<" in page
        # one regime alone is not named
        assert not re.search(r">(regime|finetune)<", page)


def test_summary_and_page_keep_the_order_of_the_units(tmp_path):
    units, _ = tables.tables(many(tmp_path))
    backwards = units.iloc[::-1]
    found = tables.summary(backwards)
    columns = ["network", "regime", "method", "compression"]
    assert [tuple(row) for row in found[columns].to_numpy()] == list(
        dict.fromkeys(tuple(row) for row in backwards[columns].to_numpy())
    )
    page = tables.summary_page(backwards)
    places = [page.index(text) for text in ("· mlp", "compression 8", "compression 2", "· few")]
    assert places == sorted(places)
    names = re.findall(r">(rgp|magnitude|scratch|finetune)<", page)
    assert names[:3] == ["scratch", "rgp", "magnitude"]


def test_the_page_is_one_table_after_the_other(tmp_path):
    units, _ = tables.tables(many(tmp_path))
    page = tables.summary_page(units)
    assert page.count("<table") == 2
    assert 'border="1"' not in page
    assert re.search(r"</table><h2>", page)
    # neither index nor columns are named
    assert not re.search(r">(method|regime|compression)<", page)
    assert page.rstrip().endswith("</table></body></html>")


def test_break_even_is_shown_for_what_was_timed_and_a_dash_for_never(tmp_path):
    paths = many(tmp_path)
    units, _ = tables.tables(paths)
    mine = (units.network == "mlp") & (units.regime == "finetune")
    units.loc[mine, "latency_1_total"] = 1.0
    units.loc[mine, "latency_1_kept"] = np.where(units[mine].method == "rgp", 0.5, 2.0)
    page = tables.summary_page(units)
    (found,) = re.findall(r"at least 5 % faster.*?(<table.*?</table>)", page, re.DOTALL)
    assert 'border="1"' not in found
    assert ">method<" not in found
    texts = [unescape(text) for text in re.findall(r"<t[hd]>(.*?)</t[hd]>", found)]
    # rgp is faster at every ratio measured: the densest keeps 48 to 50 of 100
    densest = 1 / np.mean([100 / kept for kept in (48, 49, 50)])
    assert texts[1:] == ["batch of 1", "magnitude", "–", "rgp", f"{100 * densest:.3g} %"]
    assert page.index("at least 5 %") > page.index("· mlp") > page.index("· few")


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
    assert {str(kind) for kind in bare[tables.LATENCIES].dtypes} == {"float64"}


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
