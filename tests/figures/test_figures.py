"""What holds for every figure: reproducible files, legible text, bad input named."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from figure_examples import FAMILIES, METHODS, history, line, removal, units
from matplotlib.colors import to_hex

from graphprune import figures
from graphprune.errors import UserError
from graphprune.figures import style


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


def test_a_methods_colour_is_the_same_in_every_figure() -> None:
    accuracy, cost = FAMILIES["accuracy"](), FAMILIES["cost"]()
    for method, look in figures.looks(METHODS).items():
        for ax in (*accuracy.axes, *cost.axes):
            assert line(ax, method).get_color() == look.colour
            assert line(ax, method).get_marker() == look.marker
    assert line(FAMILIES["removal"]().axes[0], "magnitude").get_color() == style.BLUE
    bars = FAMILIES["unit"]().axes[1].patches
    assert {to_hex(bar.get_facecolor()).upper() for bar in bars} == {style.GREEN}


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
