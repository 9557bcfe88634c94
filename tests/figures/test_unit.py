"""The figure of one unit."""

from __future__ import annotations

from figure_examples import history

from graphprune import figures


def test_a_unit_without_fine_tuning_says_so() -> None:
    figure = figures.unit_figure(history().iloc[:0], {"fc": 0.1}, "random", accuracy_pruned=0.5)
    assert [text.get_text() for text in figure.axes[0].texts] == ["no fine-tuning"]
    assert figure.get_suptitle() == "Test accuracy: pruned 50.0 %"
