"""What all figures share: sizes, one colour and marker per method, saving.

Colours are from Okabe and Ito's palette (distinct under the common colour blindnesses); a method is
told apart by its marker as well, so that the figures survive black-and-white print. Figures are
built without pyplot: nothing global changes, no display is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from graphprune.errors import one_of
from graphprune.files import atomic
from graphprune.methods.catalog import classes

P = ParamSpec("P")

DPI = 200
WIDTH = 7.0  # inches, a text width

BLUE, SKY, GREEN, ORANGE = "#0072B2", "#56B4E9", "#009E73", "#E69F00"
VERMILLION, PURPLE, GREY, DARK = "#D55E00", "#CC79A7", "#767676", "#222222"

_STYLE: Mapping[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "figure.titlesize": 10,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E5E5E5",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 5,
    "svg.hashsalt": "graphprune",
}

_METADATA: Mapping[str, Any] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


class Look(NamedTuple):
    """How a method appears in every figure."""

    colour: str
    marker: str
    label: str


# for methods whose class gives no look, and for labels that are no method's name
_COLOURS = (ORANGE, "#332288", "#882255", "#999933", "#44AA99", "#AA4499", "#661100", "#117733")
_MARKERS = ("P", "*", "<", ">", "h", "p", "d", "8", "H")


def looks(methods: Iterable[str]) -> dict[str, Look]:
    """The look of each label: names of methods first, in the catalog's order, then the others.

    The class of a method gives its look (``title``, ``colour``, ``marker``), the same in every
    figure. A method without a look gets a colour and a marker that no other method has, by its
    place in the catalog. Labels that are no method's name take the next colours and markers, in
    alphabetical order. A label such as "magnitude_layer", a method's name and an underscore first,
    gets a title that begins with the method's.

    >>> list(looks(["mine", "rgp", "magnitude"]))
    ['magnitude', 'rgp', 'mine']
    """
    labels = set(methods)
    shown, free = {}, 0
    for cls in classes():
        colour, marker = cls.colour, cls.marker
        if not colour or not marker:
            colour, marker = colour or _free(free)[0], marker or _free(free)[1]
            free += 1
        if cls.name in labels:
            shown[cls.name] = Look(colour, marker, cls.title or cls.name)
    titles = {cls.name: cls.title or cls.name for cls in classes()}
    for index, label in enumerate(sorted(labels - set(titles)), free):
        shown[label] = Look(*_free(index), _titled(label, titles))
    return shown


def _free(index: int) -> tuple[str, str]:
    """One of 72 pairs of colour and marker."""
    return _COLOURS[index % len(_COLOURS)], _MARKERS[index % len(_MARKERS)]


def _titled(label: str, titles: Mapping[str, str]) -> str:
    for name in sorted(titles, key=len, reverse=True):
        if label.startswith(f"{name}_"):
            return f"{titles[name]}, {label.removeprefix(f'{name}_').replace('_', ' ')}"
    return label


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run ``draw`` with the figures' matplotlib settings; the caller's settings stay."""

    @wraps(draw)
    def inner(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(_STYLE)
            return draw(*args, **kwargs)

    return inner


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of ``width`` × ``height`` inches."""
    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.05)
    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def save(
    figure: Figure, path: str | Path, formats: Sequence[str] = ("png", "svg")
) -> tuple[Path, ...]:
    """Write ``figure`` as PNG (200 dpi) and SVG, each atomically; returns the paths.

    path: with or without a suffix, which is replaced. formats: some of "png", "svg", "pdf".
    The same figure gives the same bytes.
    """
    if unknown := [name for name in formats if name not in _METADATA]:
        raise one_of("figure format", unknown[0], _METADATA)
    stem = Path(path)
    stem = stem.with_suffix("") if stem.suffix in (".png", ".svg", ".pdf") else stem
    stem.parent.mkdir(parents=True, exist_ok=True)
    written = []
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        for name in formats:
            target = stem.parent / f"{stem.name}.{name}"
            with atomic(target) as draft:
                figure.savefig(draft, format=name, dpi=DPI, metadata=_METADATA[name])
            written.append(target)
    return tuple(written)
