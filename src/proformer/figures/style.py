"""What all figures share: printed size, fonts, colours, and files that are the same bytes each time.

Figures are made at their printed width, one or two columns of the journal, so a font of 6 pt is 6 pt on paper.
They are drawn without pyplot: no display, no global state.
"""

import base64
import io
from collections.abc import Callable, Iterable
from functools import wraps
from itertools import product
from typing import Any, TypeVar

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from proformer.errors import InputError
from proformer.evaluation.heads import head_order
from proformer.evaluation.statistics import POINT
from proformer.files import atomic, write_table

SINGLE, DOUBLE = 85.0, 180.0  # mm
SMALL, NORMAL, LARGE = 6.0, 7.0, 9.0  # pt
GREY, DARK = "#767676", "#333333"
VERMILLION, ORANGE, BLUE, GREEN, PINK = "#d55e00", "#e69f00", "#0072b2", "#009e73", "#cc79a7"  # Okabe and Ito
SERIES = (BLUE, VERMILLION, GREEN, PINK, ORANGE, GREY)  # of things without an order
SETTINGS: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
    "font.size": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.handlelength": 1.2,
    "legend.columnspacing": 1.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.0,
    "hatch.linewidth": 0.5,
    "text.parse_math": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "proformer",
    "savefig.dpi": 300,
}
PERFECT = "perfect model"  # of simulated data
METRICS = {"pearson": "Pearson r", "spearman": "Spearman ρ", "r2": "r²", "mse": "mean squared error"}
METRICS |= {"poisson_nll": "Poisson NLL", "jensen_shannon": "Jensen–Shannon distance", "auroc": "AUROC", "aupr": "AUPR"}
# A small white dot.
CIRCLE: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 1.8, "color": "white"}
CIRCLE |= {"markeredgecolor": "black", "markeredgewidth": 0.4}
PLATE: dict[str, Any] = {"facecolor": "white", "linewidth": 0, "pad": 0.4}  # behind a number that its line may cross
# No dates and no versions in the files.
METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}

Drawn = tuple[Figure, pd.DataFrame]  # a figure, and the numbers in it
Function = TypeVar("Function", bound=Callable)


def styled(function: Function) -> Function:
    """Run a drawing function under the common settings."""

    @wraps(function)
    def wrapper(*arguments: Any, **keywords: Any) -> Any:
        with matplotlib.rc_context({**matplotlib.rcParamsDefault, "backend": "agg", **SETTINGS}):
            return function(*arguments, **keywords)

    return wrapper  # type: ignore[return-value]


def new(width: float, height: float, letter: str = "", note: str = "") -> Figure:
    """Return an empty figure of `width` x `height` mm with its panel letter and, bottom right, what its data are."""
    layout = ConstrainedLayoutEngine(w_pad=1 / 25.4, h_pad=1 / 25.4)
    figure = Figure(figsize=(width / 25.4, height / 25.4), layout=layout)
    FigureCanvasAgg(figure)
    if letter:
        figure.text(1 / width, 1 - 1 / height, letter, size=LARGE, weight="bold", ha="left", va="top")
    if note:
        figure.supxlabel(note, x=1 - 1 / width, ha="right", size=SMALL, color=GREY)
    return figure


def panels(
    count: int, columns: int, height: tuple[float, float], letter: str, note: str, width: float = DOUBLE, **shared: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` axes in rows of `columns`; `height` is what all rows need beside them, and each."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = new(width, height[0] + height[1] * rows, letter, note)
    axes = list(figure.subplots(rows, columns, squeeze=False, **shared).flat)
    for empty in axes[count:]:
        empty.set_axis_off()
    return figure, axes[:count]


@styled
def save(figure: Figure, prefix: str, table: pd.DataFrame) -> None:
    """Write PREFIX.pdf, .svg, .png (300 dpi) and .tsv, the table of exactly what is drawn; each whole or not at all."""
    for kind, metadata in METADATA.items():
        with atomic(f"{prefix}.{kind}") as temporary:
            figure.savefig(temporary, format=kind, metadata=metadata)
        figure.set_layout_engine(None)  # what the first one settled holds for all: a third of the time
    write_table(f"{prefix}.tsv", table)


def inline(figure: Figure) -> str:
    """A figure as HTML that needs no file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata=METADATA["svg"])
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'\n<p><img style="max-width: 100%" src="data:image/svg+xml;base64,{data}"></p>'


def source(grid: pd.DataFrame) -> str:
    """Say where a grid or epochs table comes from, "this run" ("published" without seeds), and n."""
    seeds = grid["seed"].nunique() if "seed" in grid else 0
    points = len(grid[POINT].drop_duplicates())
    return f"{'this run' if seeds else 'published'}: {counted(points, seeds)}"


def point_names(table: pd.DataFrame) -> pd.Series:
    """The run and the levels of its axes (the columns between `model` and `seed`) of each row: "grid 64/2 4 AP"."""

    def text(level: object) -> str:
        return "" if pd.isna(level) else f" {level:g}" if isinstance(level, float) else f" {level}"

    return table["run"].astype(str).str.cat([table[axis].map(text) for axis in axis_columns(table, "model")])


def axis_columns(table: pd.DataFrame, first: str) -> list[str]:
    """The columns of axes: those between `first` and `seed`."""
    return table.columns[table.columns.get_loc(first) + 1 : table.columns.get_loc("seed")].tolist()


def counted(models: int, seeds: int) -> str:
    """How many models, and seeds of each, are drawn."""
    return f"n = {models} model{'s' * (models > 1)}" + (f" × {seeds} seeds" if seeds > 1 else "")


def one_dataset(table: pd.DataFrame, columns: Iterable[str] = ("dataset",)) -> pd.DataFrame:
    """Return the table, which must hold one value only in each of `columns`; raises InputError."""
    for column in columns:
        if (n := table[column].nunique()) != 1:
            values = ", ".join(map(str, sorted(table[column].unique())))
            raise InputError(f"table to draw, column {column}: found {n} values ({values}), expected one")
    return table


def needed(table: pd.DataFrame, columns: Iterable[str], name: str) -> pd.DataFrame:
    """Return the table, which must have these columns and rows; raises InputError."""
    if missing := [column for column in columns if column not in table]:
        raise InputError(f"{name} table: found no column {', '.join(missing)}, expected {', '.join(columns)}")
    if table.empty:
        raise InputError(f"{name} table: found no rows, expected some")
    return table


def head_colours(heads: Iterable[str]) -> dict[str, Any]:
    """Average pooling vermillion, one head orange, more heads from light to dark blue."""
    heads = head_order(heads)
    many = [head for head in heads if head not in ("AP", "1")]
    blues = matplotlib.colormaps["Blues"]
    colours: dict[str, Any] = {head: blues(0.4 + 0.55 * i / max(len(many) - 1, 1)) for i, head in enumerate(many)}
    if len(many) == 1:
        colours = {many[0]: BLUE}
    return {"AP": VERMILLION, "1": ORANGE} | colours


def ceiling(axes: Axes, table: pd.DataFrame, column: str = "ceiling", upright: bool = False) -> None:
    """Draw the r of a perfect model as a dashed line, where a table of simulated data has the column."""
    if column in table and table[column].notna().any():
        line = axes.axvline if upright else axes.axhline
        line(table[column].max(), color=DARK, linewidth=0.7, linestyle=(0, (4, 2)), label=PERFECT, zorder=0)


def heat_map(axes: Axes, shades: np.ndarray, texts: np.ndarray, colours: Any, norm: Any, bold: Any = ()) -> Any:
    """Draw cells, each with its text on its colour, the first row on top; `bold`: (row, column) of texts to stress.

    Returns the mesh. Columns are named above.
    """
    mesh = axes.pcolormesh(shades, cmap=colours, norm=norm, edgecolors="white", linewidth=0.8)
    for (i, j), text in np.ndenumerate(texts):
        weight, colour = "bold" if (i, j) in bold else "normal", readable(colours(norm(shades[i, j])))
        axes.text(j + 0.5, i + 0.5, text, ha="center", va="center_baseline", size=SMALL, weight=weight, color=colour)
    axes.set(xticks=np.arange(shades.shape[1]) + 0.5, yticks=np.arange(shades.shape[0]) + 0.5)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return mesh


def colour_bar(figure: Figure, mesh: Any, axes: Any, label: str, **keywords: Any) -> Any:
    """Draw a horizontal colour bar below the axes; returns its axes."""
    placed: dict[str, Any] = {"location": "bottom", "aspect": 40, "pad": 0.02} | keywords
    bar = figure.colorbar(mesh, ax=axes, **placed)
    bar.ax.tick_params(length=2)
    bar.set_label(label, labelpad=2)
    bar.outline.set_visible(False)  # type: ignore[operator]
    return bar.ax


def label_points(axes: Axes, points: Iterable[tuple[float, float, str]]) -> None:
    """Write a text beside each point (x, y, text), on the side where it covers the least of other texts and points.

    To be called when everything else is drawn, the legend too: where texts fit depends on the layout.
    """
    points = sorted(points, key=lambda point: -point[1])
    if not points:
        return
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    drawn = np.concatenate(
        [np.array([point[:2] for point in points]), *(np.asarray(dots.get_offsets()) for dots in axes.collections)]
    )
    taken = [Bbox.from_bounds(x - 3, y - 3, 6, 6) for x, y in axes.transData.transform(drawn)]
    for x, y, text in points:
        tried: list[tuple[float, int, Any, Bbox]] = []
        for across, up in product((1, -1, 0), (1, -1)):
            words: dict[str, Any] = {"textcoords": "offset points", "size": SMALL, "va": "center"}
            words |= {"xytext": (4 * across, 4 * up if across else 8 * up), "ha": ("center", "left", "right")[across]}
            label = axes.annotate(text, (x, y), **words)
            box = label.get_window_extent()
            common = [Bbox.intersection(box, other) for other in taken]
            covered = sum(each.width * each.height for each in common if each)
            inside = Bbox.intersection(box, axes.bbox)
            outside = box.width * box.height - (inside.width * inside.height if inside else 0)
            tried.append((covered + outside, len(tried), label, box))
        best = min(tried)
        for _, _, label, _ in tried:
            if label is not best[2]:
                label.remove()
        taken.append(best[3])


def integer_axis(axes: Axes) -> None:
    """Put ticks of the x axis at whole numbers."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def readable(background: tuple[float, float, float, float]) -> str:
    """Return black or white, whichever has the higher contrast (WCAG) on the background."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in background[:3]]
    return "black" if np.dot(linear, [0.2126, 0.7152, 0.0722]) > 0.179 else "white"
