"""``--plot``: tokens per second as a picture."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

from phicli.errors import UsageError, disk_full, install_hint, is_disk_full, reason_of
from phicli.paths import output_target, write_output
from phicli.records.run import Run
from phicli.ui.bench.figures import rate
from phicli.ui.bench.plot_series import Panel, Plot, plot_of
from phicli.ui.terminal import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES: Final = (".svg", ".png")
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES: Final = ("-", "--", ":", "-.")
_BAR: Final = "#56B4E9"
_AXES: Final = {"depth": "tokens already in the context", "threads": "threads"}
_STYLE: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "phi bench",
    "text.parse_math": False,
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
}
_PANEL_INCHES: Final = 4.4
_INCHES_OF_A_LETTER: Final = 0.085
_INCHES_OF_A_SMALL_LETTER: Final = 0.068
_MOST_INCHES: Final = 400.0
"""At 150 dots an inch, what a PNG can have."""

_MOST_TICKS: Final = 8
_NO_XML: Final = dict.fromkeys((*range(0xD800, 0xE000), 0xFFFE, 0xFFFF), 0xFFFD)
"""Halves of characters, which names of files can have, and what no XML may hold."""


def check_plot(path: Path) -> None:
    """Make sure that a plot can be written to ``path``, before anything is measured for it.

    Raises:
        UsageError: its suffix is neither .svg nor .png, its folder is missing or read-only, it is not a regular file
            or write-protected, or matplotlib is not installed.
    """
    _require_suffix(path)
    try:
        target = output_target(path)
    except (FileNotFoundError, NotADirectoryError):
        folder = Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent
        raise UsageError(
            f"the folder {folder} for the plot does not exist", "create it, or choose another folder"
        ) from None
    except (OSError, ValueError) as error:
        raise _refused(path, error) from None
    try:
        _try_writing(target)
    except OSError as error:
        raise _refused(path, error) from None
    _require_matplotlib()


def draw(runs: Sequence[Run], path: Path) -> None:
    """Draw tokens per second of ``runs`` into ``path``: by depth or by threads where they vary, else a bar for each.

    The same runs give the same bytes with the same version of matplotlib.

    Raises:
        UsageError: the suffix is neither .svg nor .png, matplotlib is not installed, nothing was measured, or it cannot
            be written; what was there before is still there.
        DoesNotFitError: the disk is full; likewise.
    """
    _require_suffix(path)
    plot = plot_of(runs) if runs else None
    if plot is None or not plot.panels:
        raise UsageError("no measurement can be plotted", "measure again: phi bench")
    _require_matplotlib()
    page = _rendered(plot, path.suffix.lower().removeprefix("."))
    try:
        write_output(path, page)
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(
                path, "free some space, or choose another folder", before="the plot was not written: "
            ) from error
        raise _refused(path, error) from error


def _require_suffix(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"a plot cannot be written as {path.name or path}", "use a file name that ends in .svg or .png"
        )


def _refused(path: Path, error: OSError | ValueError) -> UsageError:
    return UsageError(f"a plot cannot be written to {path}: {reason_of(error)}", "use another file for --plot")


def _try_writing(target: Path) -> None:
    import tempfile

    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected", str(target))
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}."):
        pass


def _require_matplotlib() -> None:
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise UsageError("--plot needs matplotlib, which is not installed", install_hint("plot")) from None


def _rendered(plot: Plot, format_: str) -> bytes:
    """The picture as a file of ``format_``, ``svg`` or ``png``."""
    import warnings

    import matplotlib as mpl

    page = io.BytesIO()
    metadata = {"Date": None, "Creator": "phi bench"} if format_ == "svg" else {"Software": "phi bench"}
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that the font has not are shown as boxes
        mpl.rcdefaults()
        parameters: Any = mpl.rcParams  # the names of its keys are a type of their own, another one in each version
        parameters.update(_STYLE)
        _figure(plot).savefig(page, format=format_, dpi=150, metadata=metadata)
    return page.getvalue()


def _shown(text: str) -> str:
    """``text`` on one line, of characters that a picture can have."""
    return one_line(text).translate(_NO_XML)


def _figure(plot: Plot) -> Figure:
    from matplotlib.figure import Figure

    bars = plot.kind == "model"
    names = list(dict.fromkeys(series.name for panel in plot.panels for series in panel.series))
    height = 1.5 + 0.42 * len(names) if bars else 3.4 + 0.2 * ((len(names) + 1) // 2)
    longest = max(map(len, names))
    width = _PANEL_INCHES * len(plot.panels) + (max(2.0, longest * _INCHES_OF_A_LETTER) if bars else 0.4)
    figure = Figure(figsize=(min(width, _MOST_INCHES), min(height, _MOST_INCHES)), layout="constrained")
    drawn = figure.subplots(1, len(plot.panels), squeeze=False, sharey=bars)[0]
    for place, (axes, panel) in enumerate(zip(drawn, plot.panels, strict=True)):
        axes.set_title(panel.title, loc="left")
        if bars:
            _bars(axes, panel, names, named=place == 0)
        else:
            _lines(axes, panel, names, plot.kind)
    if not bars:
        _legend(figure, drawn, columns=2 if 2 * (longest + 6) * _INCHES_OF_A_LETTER < width else 1)
    common = [part for line in plot.common for part in wrap(_shown(line), int(width / _INCHES_OF_A_SMALL_LETTER))]
    figure.supxlabel("\n".join(common), fontsize=8, color="#444444", x=0.01, ha="left")
    return figure


def _lines(axes: Axes, panel: Panel, names: Sequence[str], kind: str) -> None:
    """A line for each series; one name looks the same in all panels."""
    for series in panel.series:
        place = names.index(series.name)
        axes.errorbar(
            [point.x for point in series.points],
            [point.tps for point in series.points],
            yerr=[point.stdev for point in series.points],
            label=_shown(series.name),
            color=_COLOURS[place % len(_COLOURS)],
            marker=_MARKERS[place % len(_MARKERS)],
            linestyle=_DASHES[place % len(_DASHES)],
            markersize=4.5,
            linewidth=1.3,
            capsize=4,
        )
    points = [point for series in panel.series for point in series.points]
    axes.set_ylim(0, 1.08 * max(point.tps + point.stdev for point in points))
    axes.set_ylabel("tokens/s")
    axes.set_xlabel(_AXES[kind])
    ticks = sorted({point.x for point in points})
    if len(ticks) <= _MOST_TICKS:
        axes.set_xticks(ticks)


def _bars(axes: Axes, panel: Panel, names: Sequence[str], *, named: bool) -> None:
    """A bar for each series, at the height of its name."""
    places = [names.index(series.name) for series in panel.series]
    points = [series.points[0] for series in panel.series]
    axes.barh(
        places,
        [point.tps for point in points],
        xerr=[point.stdev for point in points],
        color=_BAR,
        edgecolor="black",
        linewidth=0.6,
        height=0.62,
        capsize=3,
    )
    for place, point in zip(places, points, strict=True):
        axes.annotate(
            rate(point.tps), (point.tps + point.stdev, place), (5, 0), textcoords="offset points", va="center"
        )
    axes.margins(x=0.16)
    axes.set_xlim(left=0)
    axes.set_xlabel("tokens/s")
    axes.grid(visible=False, axis="y")
    if named:
        axes.set_yticks(range(len(names)), [_shown(name) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)


def _legend(figure: Figure, drawn: Iterable[Axes], *, columns: int) -> None:
    """The names of all lines above the panels; the only one is a title."""
    found: dict[str, Any] = {}
    for axes in drawn:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    if len(found) > 1:
        figure.legend(list(found.values()), list(found), loc="outside upper left", ncols=columns, fontsize=9)
    else:
        figure.suptitle(next(iter(found)), x=0.01, ha="left", fontsize=12)
