"""Accuracy against compression."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from figure_examples import FAMILIES, KEPT, METHODS, line, units
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from scipy import stats

from graphprune import figures
from graphprune.errors import UserError
from graphprune.figures.accuracy import achieved


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


def test_one_seed_has_a_line_and_no_band() -> None:
    figure = figures.accuracy_against_compression(units(seeds=1), "pruned")
    (ax,) = figure.axes
    assert len(line(ax, "rgp").get_xdata()) == 2
    (rgp,) = (c for c in ax.collections if c.get_paths()[0].vertices[0, 0] == 1.5625)
    corners = pd.DataFrame(rgp.get_paths()[0].vertices, columns=["x", "y"])
    np.testing.assert_allclose(corners.groupby("x")["y"].agg(np.ptp), 0.0, atol=1e-9)


NETWORKS = (("digits", "mlp"), ("mnist5k", "lenet5"))
HEADINGS = {
    "before fine-tuning": ("finetune", "accuracy_pruned"),
    "after fine-tuning": ("finetune", "accuracy_finetuned"),
    "before training": ("scratch", "accuracy_pruned"),
    "trained from scratch": ("scratch", "accuracy_finetuned"),
}


def uneven() -> pd.DataFrame:
    """Two networks, two regimes, three seeds of which the last has fewer units than the others."""
    finetune = units(networks=NETWORKS)
    scratch = finetune[finetune["method"] != "magnitude"].assign(regime="scratch")
    for column in ("accuracy_pruned", "accuracy_finetuned"):
        scratch[column] = scratch[column] * 0.9
    table = pd.concat([finetune, scratch], ignore_index=True)
    table.loc[table["network"] == "lenet5", "accuracy_dense"] -= 0.2
    table["params_kept"] += table["seed"]  # a method need not reach the same ratio every time
    few = (table["seed"] == 2) & table["method"].isin(["random", "rgp"])
    return table[~few].sample(frac=1, random_state=0, ignore_index=True)


def spread(values: pd.Series[float]) -> tuple[float, float]:
    """Mean and 95 % interval in percent, by scipy."""
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    return 100 * low, 100 * high


def band(ax: Axes, colour: str) -> pd.DataFrame:
    """Lower and upper edge of the band of this colour, by x."""
    (found,) = (c for c in ax.collections if to_rgb(c.get_facecolor()[0]) == to_rgb(colour))
    assert found.get_facecolor()[0][3] < 0.3
    corners = pd.DataFrame(found.get_paths()[0].vertices, columns=["x", "y"])
    return corners.groupby("x")["y"].agg(["min", "max"])


def check_panel(ax: Axes, mine: pd.DataFrame, column: str) -> None:
    for method in sorted(set(mine["method"])):
        drawn, look = line(ax, method), figures.looks(METHODS)[method]
        groups = mine[mine["method"] == method].groupby("compression")
        x = groups["params_kept"].agg(lambda kept: (1000 / kept).mean()).sort_values()
        np.testing.assert_allclose(drawn.get_xdata(), x)
        means = 100 * groups[column].mean().loc[x.index]
        np.testing.assert_allclose(drawn.get_ydata(), means)
        edges = [spread(groups.get_group(ratio)[column]) for ratio in x.index]
        shown = band(ax, look.colour)
        np.testing.assert_allclose(shown.index, x)
        np.testing.assert_allclose(shown.to_numpy(), edges)
        assert drawn.get_label() == look.label
        assert drawn.get_markeredgecolor() == "white"


@pytest.mark.parametrize("stage", ["both", "pruned", "finetuned"])
def test_lines_and_bands_are_those_of_the_table(stage: str) -> None:
    table = uneven()
    figure = figures.accuracy_against_compression(table, stage)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    headings = [
        text
        for text, (_, column) in HEADINGS.items()
        if stage in ("both", column.removeprefix("accuracy_"))
    ]
    assert sorted(titles) == sorted(
        f"{dataset} · {network}, {text}" for dataset, network in NETWORKS for text in headings
    )
    for ax, title in zip(figure.axes, titles, strict=True):
        names, _, heading = title.partition(", ")
        regime, column = HEADINGS[heading]
        whole = table[table["network"] == names.split(" · ")[1]]
        mine = whole[whole["regime"] == regime]
        check_panel(ax, mine, column)
        methods = {found.get_gid() for found in ax.lines} & set(METHODS)
        assert methods == set(mine["method"])
        assert len(ax.lines) == len(methods) + 1


def test_the_dense_interval_is_over_the_seeds_and_not_the_units() -> None:
    table = uneven()
    for ax in figures.accuracy_against_compression(table).axes:
        network = ax.get_title(loc="left").split(",")[0].split(" · ")[1]
        shift = -20.0 if network == "lenet5" else 0.0
        (dense,) = (found for found in ax.lines if found.get_label() == "Dense")
        np.testing.assert_allclose(dense.get_ydata(), 96.0 + shift)
        assert dense.get_linestyle() == "--"
        # 95, 96 and 97 percent: t(0.975, 2) = 4.302653 times 1 / sqrt(3)
        (span,) = ax.patches
        half = 4.302653 / 3**0.5
        # a rectangle or, in older versions, a polygon
        edges = span.get_path().transformed(span.get_patch_transform()).get_extents()
        assert edges.y0 == pytest.approx(96.0 + shift - half)
        assert edges.y1 == pytest.approx(96.0 + shift + half)
        assert span.get_alpha() < 0.3
        assert to_rgba(span.get_facecolor())[:3] == to_rgb(dense.get_color())


def test_labels_ticks_and_ends_of_the_axes() -> None:
    table = uneven()
    figure = figures.accuracy_against_compression(table)
    grid = np.array(figure.axes).reshape(4, 2)
    for (row, column), ax in np.ndenumerate(grid):
        wanted = "Compression ratio (total / kept weights)" if row == 3 else ""
        assert ax.get_xlabel() == wanted
        assert ax.get_ylabel() == ("" if column else "Test accuracy (%)")
        assert list(ax.get_xticks()) == [2.0, 4.0]
        assert list(ax.get_xticks(minor=True)) == []
        assert [ax.xaxis.get_major_formatter()(x) for x in (2.0, 2.5)] == ["2×", "2.5×"]
        # from the least ratio reached, 1000 / 642 on average, to the largest asked for
        low, high = ax.get_xlim()
        reached = np.concatenate([found.get_xdata() for found in ax.lines if found.get_gid()])
        assert low == pytest.approx(reached.min() / 1.15)
        assert high == pytest.approx(4.0 * 1.15)
        bottom, top = ax.get_ylim()
        assert -3.0 <= bottom < top <= 103.0
        assert ax.xaxis.get_transform().base == 2
    (legend,) = figure.legends
    looks = figures.looks(METHODS)
    assert [text.get_text() for text in legend.get_texts()] == [
        "Dense", *(look.label for look in looks.values())
    ]  # fmt: skip


def test_a_network_without_a_regime_leaves_its_panel_empty() -> None:
    table = uneven()
    table = table[(table["network"] == "mlp") | (table["regime"] == "finetune")]
    figure = figures.accuracy_against_compression(table, "finetuned")
    shown = {ax.get_title(loc="left"): ax.axison for ax in figure.axes}
    assert shown == {
        "digits · mlp, after fine-tuning": True,
        "digits · mlp, trained from scratch": True,
        "mnist5k · lenet5, after fine-tuning": True,
        "": False,
    }


def test_an_interval_beyond_all_accuracies_does_not_stretch_the_axis() -> None:
    table = units(seeds=2)
    table["accuracy_finetuned"] = 0.5 + 0.45 * (2 * table["seed"] - 1)
    (ax,) = figures.accuracy_against_compression(table, "finetuned").axes
    assert ax.get_ylim() == (-3.0, 103.0)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(UserError, match="stage is 'dense'; allowed: both, finetuned, pruned"):
        figures.accuracy_against_compression(units(), "dense")
    with pytest.raises(UserError, match=r"^accuracy figure.*accuracy_dense"):
        figures.accuracy_against_compression(units().drop(columns="accuracy_dense"))
    with pytest.raises(UserError, match=r"^cost figure.*seconds_score"):
        figures.scoring_cost(units().drop(columns="seconds_score"))


def test_scoring_times_are_means_of_a_seed_and_their_mean() -> None:
    table = uneven()
    figure = figures.scoring_cost(table)
    looks = figures.looks(METHODS)
    assert [ax.get_title(loc="left") for ax in figure.axes] == [" · ".join(n) for n in NETWORKS]
    for ax, (_, network) in zip(figure.axes, NETWORKS, strict=True):
        assert ax.get_xscale() == "log"
        assert ax.get_xlabel() == "Time to score (s)"
        labels = [text.get_text() for text in ax.get_yticklabels()]
        assert list(ax.get_yticks()) == list(range(len(looks)))
        assert ax.get_ylim() == (len(looks) - 0.5, -0.5)
        assert ax.yaxis.get_tick_params()["labelleft"] == (ax is figure.axes[0])
        if ax is figure.axes[0]:
            assert labels == [look.label for look in looks.values()]
        assert len(ax.lines) == 2 * len(looks)
        for row, (method, look) in enumerate(looks.items()):
            mine = table[(table["network"] == network) & (table["method"] == method)]
            seeds = [
                mine.loc[mine["seed"] == seed, "seconds_score"].to_numpy().mean()
                for seed in sorted(set(mine["seed"]))
            ]
            points = line(ax, method)
            np.testing.assert_allclose(points.get_xdata(), seeds)
            assert set(points.get_ydata()) == {row}
            assert (points.get_marker(), points.get_linestyle()) == (look.marker, "None")
            assert points.get_color() == look.colour
            assert points.get_markeredgecolor() == "white"
            assert 0.5 < points.get_alpha() < 1.0
            bar = ax.lines[2 * row]
            assert bar.get_linewidth() > points.get_linewidth()
            np.testing.assert_allclose(bar.get_xdata(), [np.mean(seeds)] * 2)
            np.testing.assert_allclose(bar.get_ydata(), [row - 0.3, row + 0.3])
            assert bar.get_color() == look.colour


def test_a_method_that_a_network_lacks_has_no_time() -> None:
    table = uneven()
    table = table[(table["network"] == "mlp") | (table["method"] != "rgp")]
    first, second = figures.scoring_cost(table).axes
    assert len(first.lines) == 8
    assert {found.get_gid() for found in second.lines} & set(METHODS) == set(METHODS) - {"rgp"}
    assert line(second, "mine").get_ydata()[0] == list(figures.looks(METHODS)).index("mine")


@pytest.mark.parametrize(
    ("networks", "stage", "accuracy", "cost"),
    [
        (NETWORKS[:1], "both", (4.2, 5.9), (4.5, 2.3)),
        (NETWORKS, "finetuned", (7.0, 3.3), (7.0, 2.3)),
        ((*NETWORKS, ("mnist", "vgg9")), "pruned", (10.5, 3.3), (10.5, 2.3)),
    ],
)
def test_each_panel_and_each_method_has_its_room(
    networks: tuple[tuple[str, str], ...],
    stage: str,
    accuracy: tuple[float, float],
    cost: tuple[float, float],
) -> None:
    table = units(networks=networks)
    drawn = figures.accuracy_against_compression(table, stage)
    np.testing.assert_allclose(drawn.get_size_inches(), accuracy)
    np.testing.assert_allclose(figures.scoring_cost(table).get_size_inches(), cost)
    # columns share their ratios; the legend has 4 columns where there is room, else 2
    (legend,) = drawn.legends
    assert legend._ncols == (2 if len(networks) == 1 else 4)
    assert all(len({ax.get_xlim() for ax in column}) == 1 for column in columns(drawn))


def columns(figure: Figure) -> list[list[Axes]]:
    """The panels of one network, for each network."""
    found: dict[str, list[Axes]] = {}
    for ax in figure.axes:
        found.setdefault(ax.get_title(loc="left").split(",")[0], []).append(ax)
    return list(found.values())


def test_the_table_behind_a_panel() -> None:
    table = units()
    found = achieved(table, "accuracy_pruned")
    assert list(found.columns) == ["method", "compression", "x", "mean", "half"]
    assert list(zip(found.method, found.compression, strict=True)) == [
        (method, ratio) for method in sorted(METHODS) for ratio in (2, 4)
    ]
    assert list(found.index) == list(range(8))
