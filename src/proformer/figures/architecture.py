"""Fig. 1 and 2a: a model drawn from its own description, with its shapes and parameter counts.

A description is what `proformer.models.describe` says of a model, as a dictionary or JSON file:

    {"name": "Proformer", "parameters": 47425543, "stages": [
      {"part": "input", "label": "both strands, one-hot", "output": [200, 6], "parameters": 0},
      {"part": "stem", "label": "k-mer embedding, k = 10", "output": [200, 512], "parameters": 31232},
      {"part": "stem", "label": "position embedding", "join": "add", "output": [200, 512], "parameters": 102400},
      {"part": "core", "label": "macaron block", "repeat": 4, "output": [232, 512], "parameters": 47286272, "layers": [
        {"label": "½ feed-forward", "residual": true, "output": [232, 512], "parameters": 1573888}, ...]},
      {"part": "head", "branch": "expression", "label": "dense", "output": [32, 1], "parameters": 513}, ...]}

Stages are in the order of the forward pass; `output` is the shape without the batch. `join` says how a stage meets
the one before it: `add` or `prepend`; without it, it is applied to it. Head stages of one `branch` follow each other;
each branch starts from the core's output. A stage's `parameters` cover all its repeats, a layer's one repeat.
"""

import textwrap
from itertools import groupby
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from proformer.errors import InputError
from proformer.figures import style

COLUMNS = ["part", "branch", "label", "join", "repeat", "residual", "output", "parameters"]
DEFAULTS = {"branch": "", "join": "", "repeat": 1, "residual": False}
JOINS = {"add": "+", "prepend": "‖"}
COLOURS = {"input": "#eeeeee", "stem": "#cfe8f5", "core": "#fde3c0", "head": "#cdeee0"}
BOX, GAP, LINE, PITCH = 48.0, 6.5, 3.1, 57.0  # mm: width of a box, space below it, line height, column to column
TRUNK = (PITCH - BOX) / 2  # mm: from the line that feeds the heads to their boxes
TOP = -9.0  # mm: where boxes begin below the headings; y is 0 at the upper edge of the figure and falls


@style.styled
def draw(description: dict[str, Any], letter: str = "") -> style.Drawn:
    """Draw the whole model: stem, core, heads, side by side (180 mm wide).

    Returns the figure and one row per stage and layer: part, branch, label, join, repeat, residual, output, parameters.
    Raises InputError for a description that lacks something or whose parameters do not add up.
    """
    table = check(description)
    figure, axes = _canvas(style.DOUBLE)
    stem, core, heads = (_part(description, *parts) for parts in (("input", "stem"), ("core",), ("head",)))
    x_stem, x_core, x_heads = (style.DOUBLE / 2 + i * PITCH for i in (-1, 0, 1))
    for x, title in ((x_stem, "Stem"), (x_core, "Core"), (x_heads, "Heads")):
        axes.text(x, -4, title, weight="bold", ha="center", va="center")
    end_stem, end_core = _chain(axes, x_stem, stem), _chain(axes, x_core, core)
    first, last, end_heads = _branches(axes, x_heads, TOP, heads)
    side, low = x_stem + PITCH / 2, end_stem - 3
    _line(axes, [x_stem, x_stem, side, side, x_core, x_core], [end_stem, low, low, TOP + 2, TOP + 2, TOP])
    side, low = x_core + PITCH / 2, end_core - 3
    _line(axes, [x_core, x_core, side, side], [end_core, low, low, first])
    _line(axes, [side, side], [min(low, first), last])
    note = f"+ added   ‖ put in front   {description['name']}: {_count(description)}"
    _finish(figure, axes, min(low, end_stem - 3, end_heads), letter, note)
    return figure, table


@style.styled
def draw_heads(*descriptions: dict[str, Any], letter: str = "a") -> style.Drawn:
    """Draw the heads of up to three models beside each other, each below its name and core (Fig. 2a).

    Returns the figure (85 mm wide for one model, else 180 mm) and the rows of `draw` that it shows, with `name`.
    """
    if not 1 <= len(descriptions) <= 3:
        raise InputError(f"models to draw: found {len(descriptions)}, expected one to three")
    tables = [check(description).assign(name=description["name"]) for description in descriptions]
    width = style.SINGLE if len(descriptions) == 1 else style.DOUBLE
    figure, axes = _canvas(width)
    ends = []
    for i, description in enumerate(descriptions):
        x = width * (i + 0.5) / len(descriptions)
        axes.text(x, -4, textwrap.fill(description["name"], 34), weight="bold", ha="center", va="center")
        y = TOP
        for stage in _part(description, "core"):
            repeated = stage | {"label": f"{stage.get('repeat', 1)} × {stage['label']}"}
            y = _box(axes, x, y, repeated) - 3
        _, last, end = _branches(axes, x, y - 2, _part(description, "head"))
        side = x - BOX / 2 - TRUNK
        _line(axes, [x, x, side, side], [y + 3, y, y, last])
        ends.append(end)
    _finish(figure, axes, min(ends), letter)
    table = pd.concat(tables, ignore_index=True)
    return figure, table[table["part"].isin(["core", "head"])].reset_index(drop=True)


def check(description: dict[str, Any]) -> pd.DataFrame:
    """Return a description as a table; raises InputError when it lacks something or does not add up."""
    rows = []
    try:
        for stage in description["stages"]:
            where, layers = f"stage {stage['label']!r}", stage.get("layers", [])
            if stage["part"] not in COLOURS or stage.get("join", "add") not in JOINS:
                found = f"part {stage['part']!r}, join {stage.get('join')!r}"
                raise InputError(f"model description, {where}: found {found}, expected one of {[*COLOURS]}, {[*JOINS]}")
            pieces = (stage, *(layer | {"part": "layer"} for layer in layers))
            rows += [DEFAULTS | piece | {"output": _shape(piece)} for piece in pieces]
            if layers:
                _check_sum(where, layers, stage["parameters"], stage.get("repeat", 1))
        _check_sum(description["name"], description["stages"], description["parameters"])
        return pd.DataFrame([{name: row[name] for name in COLUMNS} for row in rows])
    except KeyError as error:
        raise InputError(f"model description: found no {error}, expected it in each stage or at the top") from None


def _check_sum(where: str, pieces: list[dict[str, Any]], expected: int, repeat: int = 1) -> None:
    if (found := repeat * sum(piece["parameters"] for piece in pieces)) != expected:
        raise InputError(f"model description, {where}: found parts of {found:,} parameters, expected {expected:,}")


def _shape(stage: dict[str, Any]) -> str:
    return " × ".join(map(str, stage["output"]))


def _count(stage: dict[str, Any]) -> str:
    return f"{stage['parameters']:,} parameters" if stage["parameters"] else "no parameters"


def _part(description: dict[str, Any], *parts: str) -> list[dict[str, Any]]:
    return [stage for stage in description["stages"] if stage["part"] in parts]


def _canvas(width: float) -> tuple[Figure, Axes]:
    """Return a figure `width` mm wide, its height yet open, and axes that cover it."""
    figure = style.new(width, 100)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width))
    axes.axis("off")
    return figure, axes


def _finish(figure: Figure, axes: Axes, lowest: float, letter: str, note: str = "") -> None:
    """Give the figure its height, letter and note."""
    low, width = lowest - 6, axes.get_xlim()[1]
    axes.set_ylim(low, 0)
    figure.set_size_inches(width / 25.4, -low / 25.4)
    axes.text(1, -1, letter, size=style.LARGE, weight="bold", va="top")
    axes.text(width - 1, low + 1, note, ha="right", va="bottom", size=style.SMALL, color=style.GREY)


def _chain(axes: Axes, x: float, stages: list[dict[str, Any]]) -> float:
    """Draw stages below each other from the top; return the y of the last one's lower edge."""
    y = TOP + GAP
    for i, stage in enumerate(stages):
        y -= GAP
        if i:
            _arrow(axes, x, y + GAP, y)
        if "join" in stage:
            _sign(axes, x, y + 0.6 * GAP, JOINS[stage["join"]])
        y = _block(axes, x, y, stage) if "layers" in stage else _box(axes, x, y, stage)
    return y


def _branches(axes: Axes, x: float, y: float, stages: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Draw each branch of the heads, entered from the left; return the y of first and last entry and the lowest y."""
    entries = []
    for branch, group in groupby(stages, lambda stage: stage.get("branch", "")):
        axes.text(x - BOX / 2, y - 1, branch, size=style.SMALL, style="italic", va="center", color=style.DARK)
        y -= 3
        for i, stage in enumerate(group):
            above, y = y, _box(axes, x, y, stage)
            if i:
                _arrow(axes, x, above + GAP, above)
            else:
                entries.append((above + y) / 2)
                _arrow(axes, x - BOX / 2 - TRUNK, entries[-1], entries[-1], x - BOX / 2)
            y -= GAP
    return (entries[0], entries[-1], y + GAP) if entries else (y, y, y)


def _block(axes: Axes, x: float, y: float, stage: dict[str, Any]) -> float:
    """Draw a block: its layers in a frame, with residual connections at the right; return the frame's lower edge."""
    top = y
    axes.text(x - BOX / 2, top - 2.4, f"{stage.get('repeat', 1)} ×", ha="left", va="center", weight="bold")
    axes.text(x - BOX / 2 + 5.5, top - 2.4, stage["label"], ha="left", va="center", size=style.SMALL)
    for layer in stage["layers"]:
        split, y = y - 0.65 * GAP, y - GAP
        _arrow(axes, x, y + GAP, y)
        y = _box(axes, x, y, layer | {"part": "core"})
        if layer.get("residual"):
            side, sum_ = x + BOX / 2 + 1.8, y - 0.3 * GAP
            _line(axes, [x, side, side, x], [split, split, sum_, sum_])
            _sign(axes, x, sum_, "+")
    bottom = y - 0.7 * GAP
    _line(axes, [x, x], [y, bottom])
    frame = {"facecolor": "none", "edgecolor": style.GREY, "linewidth": 0.8, "linestyle": "--"}
    _rounded(axes, x, bottom, BOX + 6, top - bottom, **frame)
    return bottom


def _box(axes: Axes, x: float, y: float, stage: dict[str, Any]) -> float:
    """Draw one box with its label, shape and parameters; return the y of its lower edge."""
    lines = textwrap.wrap(stage["label"], 32)
    height = LINE * (len(lines) + 1) + 2.4
    colour = COLOURS[stage["part"]]
    _rounded(axes, x, y - height, BOX, height, facecolor=colour, edgecolor=style.DARK, linewidth=0.6)
    for i, line in enumerate([*lines, f"{_shape(stage)}  ·  {_count(stage)}"]):
        last: dict[str, Any] = {"size": style.SMALL, "color": style.DARK} if i == len(lines) else {}
        axes.text(x, y - 1.2 - LINE * (i + 0.5), line, ha="center", va="center", **last)
    return y - height


def _rounded(axes: Axes, x: float, y: float, width: float, height: float, **look: Any) -> None:
    """Draw a box with round corners around x, from y upwards."""
    axes.add_patch(FancyBboxPatch((x - width / 2, y), width, height, boxstyle="round,pad=0,rounding_size=1", **look))


def _line(axes: Axes, x: list[float], y: list[float]) -> None:
    axes.plot(x, y, color="black", linewidth=0.7, zorder=1.5)


def _arrow(axes: Axes, x: float, start: float, end: float, to: float | None = None) -> None:
    arrow = {"arrowstyle": "-|>", "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 6, "color": "black"}
    axes.annotate("", (x if to is None else to, end), (x, start), arrowprops=arrow)


def _sign(axes: Axes, x: float, y: float, text: str) -> None:
    circle = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "linewidth": 0.6}
    axes.text(x, y, text, ha="center", va="center", size=style.SMALL, zorder=5, bbox=circle)
