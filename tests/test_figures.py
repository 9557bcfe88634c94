"""Figures: what they show (positions, colours, intervals) and that their files are reproducible."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import stats

from graphprune import figures
from graphprune.errors import UserError
from graphprune.figures import style
from graphprune.statistics import interval

METHODS = ("magnitude", "random", "rgp", "mine")
KEPT = {"magnitude": {2: 500, 4: 250}, "random": {2: 500, 4: 250}, "mine": {2: 500, 4: 250}}
KEPT["rgp"] = {2: 640, 4: 310}  # a graph's density is a multiple of 1/n, never quite the one asked


def units(seeds: int = 3, networks: tuple[tuple[str, str], ...] = (("digits", "mlp"),)):
    rng = np.random.default_rng(0)
    rows = [
        {
            "dataset": dataset,
            "model": model,
            "seed": seed,
            "regime": "finetune",
            "method": method,
            "compression": ratio,
            "params_total": 1000,
            "params_kept": KEPT[method][ratio],
            "accuracy_dense": 0.95 + 0.01 * seed,
            "accuracy_pruned": rng.uniform(0.1, 0.9),
            "accuracy_finetuned": rng.uniform(0.8, 0.95),
            "seconds_score": rng.uniform(0.1, 2.0),
        }
        for dataset, model in networks
        for seed in range(seeds)
        for method in METHODS
        for ratio in (2, 4)
    ]
    return pd.DataFrame(rows)


def layers() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"method": method, "compression": ratio, "layer": name, "density": share, "seed": seed}
            for method in METHODS
            for ratio in (2, 4)
            for seed in (0, 1)
            for name, share in (("conv", 1.0), ("fc", 0.5 / ratio + 0.1 * seed), ("out", 0.02))
        ]
    )


def removal() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"order": order, "removed": share, "accuracy": 0.9 - share / 2, "seed": seed}
            for order in ("most negative first", "random", "most positive first", "magnitude")
            for share in (0.0, 0.25, 0.5)
            for seed in (0, 1)
        ]
    )


def ring(n: int = 8) -> np.ndarray:
    step = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    return (step == 1) | (step == n - 1)


def history() -> pd.DataFrame:
    return pd.DataFrame({"epoch": [1, 2], "loss": [1.0, 0.5], "accuracy_validation": [0.5, 0.75]})


def kappa() -> dict[str, np.ndarray]:
    return {
        "conv": np.array([[-3.0, 0.5], [1.0, 1.0]]),
        "fc": np.array([-1.0, -0.25, 1.0, 2.0]),
        "out": np.array([-0.5, 1.0]),
    }


def net() -> Figure:
    return figures.neural_graph([0, 0, 1, 2], [2, 3, 2, 4], [0, 0, 1, 1, 2], [-2.0, 0.5, -1, 1])


FAMILIES = {
    "accuracy": lambda: figures.accuracy_against_compression(units()),
    "cost": lambda: figures.scoring_cost(units()),
    "density": lambda: figures.layer_density(layers()),
    "histogram": lambda: figures.curvature_histogram(kappa(), "a title"),
    "removal": lambda: figures.removal_curves(removal()),
    "regular": lambda: figures.regular_graph(ring()),
    "neural": net,
    "unit": lambda: figures.unit_figure(history(), {"conv": 0.5, "fc": 0.1}, "rgp", "a title"),
}


def line(ax: Axes, gid: str) -> Line2D:
    return next(found for found in ax.lines if found.get_gid() == gid)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_input_gives_the_same_bytes(family: str, tmp_path: Path) -> None:
    first = figures.save(FAMILIES[family](), tmp_path / "a.png")
    second = figures.save(FAMILIES[family](), tmp_path / "b")
    assert [path.name for path in first] == ["a.png", "a.svg"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert first[0].read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in first[1].read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg", "b.png", "b.svg"]


@pytest.mark.parametrize("family", FAMILIES)
def test_all_text_is_legible_and_inside_the_figure(family: str) -> None:
    figure = FAMILIES[family]()
    figure.draw_without_rendering()
    used = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert used.x0 > -0.01
    assert used.y0 > -0.01
    assert used.x1 < width + 0.01
    assert used.y1 < height + 0.01
    texts = [text for text in figure.findobj(mpl.text.Text) if text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 8


def test_saving_leaves_nothing_half_written(tmp_path: Path, monkeypatch) -> None:
    figure = FAMILIES["unit"]()
    target = tmp_path / "unit.png"
    target.write_bytes(b"old")

    def fail(draft, **_):
        Path(draft).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        figures.save(figure, target)
    assert [path.name for path in tmp_path.iterdir()] == ["unit.png"]
    assert target.read_bytes() == b"old"


def test_formats_can_be_chosen(tmp_path: Path) -> None:
    (only,) = figures.save(FAMILIES["unit"](), tmp_path / "unit.v2", formats=["png"])
    assert only == tmp_path / "unit.v2.png"
    assert only.exists()
    with pytest.raises(UserError, match="'bmp'; allowed: pdf, png, svg"):
        figures.save(FAMILIES["unit"](), tmp_path / "unit", formats=["bmp"])


def test_drawing_leaves_the_callers_settings_alone() -> None:
    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 30}):
        sizes = {text.get_fontsize() for text in FAMILIES["removal"]().findobj(mpl.text.Text)}
        assert max(sizes) < 12
        assert mpl.rcParams["font.size"] == 30
    assert dict(mpl.rcParams) == before


def test_every_method_has_one_colour_and_one_marker() -> None:
    shown = figures.looks([*style.KNOWN, "b", "a"])
    assert list(shown)[-2:] == ["a", "b"]
    assert len({look.colour for look in shown.values()}) == len(shown)
    assert len({look.marker for look in shown.values()}) == len(shown)
    for name, look in figures.looks(["rgp", "a"]).items():
        assert look == shown[name]


def test_a_methods_colour_is_the_same_in_every_figure() -> None:
    accuracy, cost = FAMILIES["accuracy"](), FAMILIES["cost"]()
    for method, look in figures.looks(METHODS).items():
        for ax in (*accuracy.axes, *cost.axes):
            assert line(ax, method).get_color() == look.colour
            assert line(ax, method).get_marker() == look.marker
    assert line(FAMILIES["removal"]().axes[0], "magnitude").get_color() == style.BLUE
    bars = FAMILIES["unit"]().axes[1].patches
    assert {to_hex(bar.get_facecolor()).upper() for bar in bars} == {style.GREEN}


def test_accuracy_is_drawn_at_the_compression_achieved() -> None:
    table = units()
    before, after = FAMILIES["accuracy"]().axes
    for ax, column in ((before, "accuracy_pruned"), (after, "accuracy_finetuned")):
        assert ax.get_xscale() == "log"
        for method in METHODS:
            drawn = line(ax, method)
            mine = table[table["method"] == method].groupby("compression")
            np.testing.assert_allclose(
                drawn.get_xdata(), [1000 / KEPT[method][2], 1000 / KEPT[method][4]]
            )
            np.testing.assert_allclose(drawn.get_ydata(), 100 * mine[column].mean())
        dense = next(found for found in ax.lines if found.get_label() == "Dense")
        np.testing.assert_allclose(dense.get_ydata(), 96.0)
    assert line(before, "rgp").get_xdata()[0] == pytest.approx(1.5625)
    assert list(before.get_xticks()) == [2, 4]


def test_a_panel_for_each_network() -> None:
    table = units(networks=(("digits", "mlp"), ("mnist5k", "lenet5")))
    figure = figures.accuracy_against_compression(table, "finetuned")
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["digits · mlp, after fine-tuning", "mnist5k · lenet5, after fine-tuning"]


@pytest.mark.parametrize("n", [2, 3, 10])
def test_interval_agrees_with_scipy(n: int) -> None:
    values = np.random.default_rng(n).normal(size=n)
    mean, half = interval(values)
    low, high = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_interval_of_one_run_is_undefined() -> None:
    mean, half = interval([0.5, float("nan")])
    assert mean == 0.5
    assert np.isnan(half)


def test_one_seed_has_a_line_and_no_band() -> None:
    figure = figures.accuracy_against_compression(units(seeds=1), "pruned")
    (ax,) = figure.axes
    assert len(line(ax, "rgp").get_xdata()) == 2
    (rgp,) = (c for c in ax.collections if c.get_paths()[0].vertices[0, 0] == 1.5625)
    corners = pd.DataFrame(rgp.get_paths()[0].vertices, columns=["x", "y"])
    np.testing.assert_allclose(corners.groupby("x")["y"].agg(np.ptp), 0.0, atol=1e-9)


def test_density_is_the_mean_over_seeds_in_the_networks_order() -> None:
    ax, _ = FAMILIES["density"]().axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["conv", "fc", "out"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["2×", "4×"] * 4
    cells = [text.get_text() for text in ax.texts[: 3 * 8]]
    assert cells[:6] == ["100", "30", "2.0", "100", "18", "2.0"]


def test_density_takes_one_network_at_a_time() -> None:
    table = layers().assign(dataset=["a", "b"] * 24)
    with pytest.raises(UserError, match="2 values of 'dataset'"):
        figures.layer_density(table)


def test_histogram_counts_both_signs_and_leaves_inactive_edges_out() -> None:
    conv, fc, out = FAMILIES["histogram"]().axes
    assert conv.get_title(loc="left") == "conv\n25 % negative, 50 % inactive"
    assert fc.get_title(loc="left") == "fc\n50 % negative, 25 % inactive"  # κ = 1 is active here
    assert out.get_title(loc="left") == "out\n50 % negative, 50 % inactive"
    for patch in conv.patches:
        x = patch.get_xy()[:, 0]
        negative = to_hex(patch.get_facecolor()).upper() == style.VERMILLION
        occupied = x[patch.get_xy()[:, 1] >= 1]
        assert (occupied <= 1e-9).all() if negative else (occupied >= -1e-9).all()


def test_histogram_refuses_nan() -> None:
    with pytest.raises(UserError, match="NaN"):
        figures.curvature_histogram({"fc": np.array([0.0, np.nan])})


def test_removal_curves_are_means_over_seeds() -> None:
    table = removal()
    table.loc[(table["order"] == "random") & (table["seed"] == 1), "accuracy"] = 0.0
    (ax,) = figures.removal_curves(table).axes
    np.testing.assert_allclose(line(ax, "random").get_ydata(), [45.0, 38.75, 32.5])
    np.testing.assert_allclose(line(ax, "most positive first").get_xdata(), [0, 25, 50])
    colours = {found.get_color() for found in ax.lines}
    assert len(colours) == 4


def test_regular_graph_draws_every_edge_and_states_its_aspl() -> None:
    figure = FAMILIES["regular"]()
    circle, blocks = figure.axes
    (edges,) = [c for c in circle.collections if isinstance(c, LineCollection)]
    assert len(edges.get_segments()) == 8
    heading = figure.get_suptitle()  # ring of 8: distances 1 1 2 2 3 3 4, mean 16/7
    assert "n = 8, k = 2" in heading
    assert "ASPL 2.286 (Moore bound 2.286)" in heading
    np.testing.assert_array_equal(blocks.images[0].get_array(), ring())


def test_neural_graph_draws_the_most_negative_edges_on_top() -> None:
    ax = net().axes[0]
    (edges,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    columns = [tuple(segment[:, 0]) for segment in edges.get_segments()]
    assert columns == [(1, 2), (0, 1), (0, 1), (0, 1)]
    reds = edges.get_colors()
    assert reds[-1][0] > reds[-1][2]  # most negative: red
    assert reds[0][2] > reds[0][0]  # positive: blue


def test_a_unit_without_fine_tuning_says_so() -> None:
    figure = figures.unit_figure(history().iloc[:0], {"fc": 0.1}, "random", accuracy_pruned=0.5)
    assert [text.get_text() for text in figure.axes[0].texts] == ["no fine-tuning"]
    assert figure.get_suptitle() == "Test accuracy: pruned 50.0 %"


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: figures.accuracy_against_compression(units().drop(columns="seed")), "'seed'"),
        (lambda: figures.accuracy_against_compression(units().iloc[:0]), "empty"),
        (lambda: figures.accuracy_against_compression(units(), "dense"), "'dense'; allowed"),
        (lambda: figures.removal_curves(removal().drop(columns="removed")), "'removed'"),
        (lambda: figures.unit_figure(history(), {}, "rgp"), "at least one layer"),
        (lambda: figures.neural_graph([0], [1, 2], [0, 1], [0.5]), "one length"),
        (lambda: figures.neural_graph([0], [9], [0, 1], [0.5]), "beyond the 2"),
        (lambda: figures.neural_graph([0], [1], [0, 1], [np.nan]), "no edge"),
        (lambda: figures.regular_graph(np.eye(3, dtype=bool)), "simple"),
    ],
)
def test_bad_input_is_named(draw, message: str) -> None:
    with pytest.raises(UserError, match=message):
        draw()
