"""What all figures share: files, formats, one colour and marker a method."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest
from figure_examples import FAMILIES

from graphprune import figures
from graphprune.errors import UserError
from graphprune.methods import METHODS


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
    shown = figures.looks([*METHODS, "b", "a"])
    assert list(shown)[-2:] == ["a", "b"]
    assert len({look.colour for look in shown.values()}) == len(shown)
    assert len({look.marker for look in shown.values()}) == len(shown)
    for name, look in figures.looks(["rgp", "a"]).items():
        assert look == shown[name]
