"""Fig. 3a: the task on a real locus: reads, signal, summit, a window of sequence and the centre to be predicted."""

import heapq
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import ConnectionPatch, Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from proformer.errors import InputError
from proformer.figures import style

TRACKS = ("reads", "signal", "summit", "window", "centre")
ROWS, WINDOW_ROWS = 60, 5  # of reads and of further windows, at most
FREE = 100  # bp: fragments shorter than this are free of nucleosomes (Buenrostro et al. 2013)
SEQUENCE, CENTRE = style.ORANGE, style.VERMILLION


@style.styled
def draw(locus: pd.DataFrame, letter: str = "a") -> style.Drawn:
    """Draw a locus table: track, start, end (bp, half-open), value; optionally contig, named at the axis.

    Tracks: reads (a row per fragment), signal (runs of equal value; 0 between them), summit, window and centre (the
    first window and centre are the example; its target is computed here from the signal that is drawn). Where reads
    would pile up beyond 60 rows, every second, third … is drawn. Returns the figure (180 mm wide) and the rows drawn:
    track, start, end, value (of the first centre: its mean signal), row (the height of a read or window). Raises
    InputError for missing columns or a missing track.
    """
    style.needed(locus, ["track", "start", "end", "value"], "locus")
    if missing := [track for track in TRACKS if not (locus["track"] == track).any()]:
        raise InputError(f"locus table: found no row of track {', '.join(missing)}, expected {', '.join(TRACKS)}")
    tracks = {track: locus[locus["track"] == track].sort_values("start", kind="stable") for track in TRACKS[:3]}
    tracks |= _windows(*(locus[locus["track"] == track].reset_index(drop=True) for track in TRACKS[3:]))
    found = len(tracks["reads"])
    tracks["reads"] = _thin(tracks["reads"])
    window, centre = (tracks[track].loc[0, ["start", "end"]].astype(int).tolist() for track in TRACKS[3:])
    mean = float(depth(tracks["signal"], *centre).mean())
    tracks["centre"] = tracks["centre"].astype({"value": float})
    tracks["centre"].loc[0, "value"] = mean
    shown = len(tracks["reads"])
    fragments = f"{shown:,}{f' of {found:,}' * (shown < found)} fragment{'s' * (found > 1)}"
    figure = style.new(style.DOUBLE, 84, letter, f"this run: {fragments} shown")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.65, 1])[0]
    panels = left.subplots(3, 1, sharex=True, height_ratios=[1.5, 1.2, 0.42])
    contig = f"{locus['contig'].iloc[0]}, " if "contig" in locus else ""
    _overview(panels, tracks, window, contig)
    close, task = right.subplots(2, 1, height_ratios=[1.6, 1])
    _close(close, depth(tracks["signal"], *window), window, centre, mean)
    _task(task, window, centre)
    for height in (0, 1):
        line = ConnectionPatch((window[1], height), (0, height), panels[1].get_xaxis_transform(), close.transAxes)
        line.set(color=SEQUENCE, linewidth=0.4, linestyle=":")
        line.set_in_layout(False)
        figure.add_artist(line)
    drawn = pd.concat([tracks[track] for track in TRACKS], ignore_index=True)
    return figure, drawn[["track", "start", "end", "value", "row"]]


def depth(runs: pd.DataFrame, start: int, end: int) -> np.ndarray:
    """The signal at each base of a stretch, 0 between runs: float64 [end - start]."""
    values = np.zeros(end - start)
    for run in runs[(runs["end"] > start) & (runs["start"] < end)].itertuples():
        values[max(int(run.start) - start, 0) : int(run.end) - start] = run.value
    return values


def _pack(pieces: pd.DataFrame, height: int) -> pd.DataFrame:
    """Put each piece, in order of its start, into the lowest `row` that is free; leave out those above `height`."""
    free, rows = list(range(height)), []
    busy: list[tuple[int, int]] = []  # (where it ends, row)
    for start, end in zip(pieces["start"], pieces["end"], strict=True):
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        rows.append(heapq.heappop(free) if free else -1)
        if rows[-1] >= 0:
            heapq.heappush(busy, (end + 5, rows[-1]))
    return pieces.assign(row=rows).query("row >= 0")


def _thin(reads: pd.DataFrame) -> pd.DataFrame:
    """All reads in rows, or every second, third … of them, so that all of those have a place."""
    for step in range(1, len(reads) + 1):
        packed = _pack(reads[::step], ROWS)
        if len(packed) == len(reads[::step]):
            break
    return packed


def _windows(windows: pd.DataFrame, centres: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The example in row 0 and as many of the other windows as fit below it; each with its centre, in its row."""
    if len(windows) != len(centres):
        raise InputError(f"locus table: found {len(windows)} windows and {len(centres)} centres, expected as many")
    packed = _pack(windows[1:].sort_values("start", kind="stable"), WINDOW_ROWS)
    row = pd.concat([pd.Series([0]), packed["row"] + 1])
    return {"window": windows.loc[row.index].assign(row=row), "centre": centres.loc[row.index].assign(row=row)}


def _overview(panels: np.ndarray, tracks: dict[str, pd.DataFrame], window: list[int], contig: str) -> None:
    """Fragments, signal and summit, and below them the windows."""
    above, middle, below = panels
    reads, signal = tracks["reads"], tracks["signal"]
    for short, colour, name in ((True, style.BLUE, f"under {FREE} bp"), (False, "#a0a0a0", "longer")):
        chosen = reads[(reads["end"] - reads["start"] < FREE) == short]
        lines = [[(r.start, r.row), (r.end, r.row)] for r in chosen.itertuples()]
        above.add_collection(LineCollection(lines, colors=colour, linewidths=0.8, label=name))
    above.set(ylabel="fragments", ylim=(-1, max(int(reads["row"].max()), 4) + 1), yticks=[])
    above.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2, borderaxespad=0)
    first, last = int(signal["start"].min()), int(signal["end"].max())
    values = depth(signal, first, last)
    middle.stairs(values, np.arange(first, last + 1), fill=True, color=style.BLUE, alpha=0.7)
    top = float(values.max()) or 1.0
    for summit in tracks["summit"].itertuples():
        middle.plot(summit.start, 1.1 * top, "v", color=style.DARK, markersize=4)
    first_summit = tracks["summit"].iloc[0]
    side = -1 if first_summit["start"] > (first + last) / 2 else 1
    place = {"ha": "left" if side > 0 else "right", "va": "center", "size": style.SMALL}
    middle.annotate("summit", (first_summit["start"], 1.1 * top), (5 * side, 0), textcoords="offset points", **place)
    middle.set(ylabel="signal, per million", ylim=(0, 1.2 * top), xlim=(first, last))
    middle.yaxis.set_major_locator(MaxNLocator(3))
    for axes in (above, middle):
        axes.axvspan(*window, color=SEQUENCE, alpha=0.25, linewidth=0)
    for track, colour in (("window", SEQUENCE), ("centre", CENTRE)):
        for box in tracks[track].itertuples():
            keywords: dict[str, Any] = {"facecolor": colour, "alpha": 0.35 if box.row else 1.0, "linewidth": 0}
            below.add_patch(Rectangle((box.start, box.row), box.end - box.start, 0.7, **keywords))
    below.set(ylim=(tracks["window"]["row"].max() + 1, -0.3), yticks=[], xlabel=f"{contig}position, kb")
    below.set_ylabel("windows", rotation=0, ha="right", va="center")
    below.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / 1000:g}"))
    below.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    below.spines["left"].set_visible(False)


def _close(axes: Axes, values: np.ndarray, window: list[int], centre: list[int], mean: float) -> None:
    """The signal in the example window, its centre and the mean there."""
    axes.stairs(values, np.arange(window[0], window[1] + 1), fill=True, color=style.BLUE, alpha=0.35)
    low, high = centre
    core = values[low - window[0] : high - window[0]]
    axes.stairs(core, np.arange(low, high + 1), fill=True, color=CENTRE, alpha=0.75)
    axes.plot([low, high], [mean, mean], color="black", linewidth=1.2)
    top = float(values.max()) or 1.0
    text = f"mean of {high - low} bp = {mean:.4g}"
    axes.annotate(text, ((low + high) / 2, mean), ((low + high) / 2, 1.22 * top), ha="center", va="center",
                  arrowprops={"arrowstyle": "-", "linewidth": 0.6, "shrinkA": 1, "shrinkB": 0})  # fmt: skip
    axes.set(xlim=window, ylim=(0, 1.3 * top), ylabel="signal, per million", xlabel="position, bp")
    axes.set_xticks(window, [f"{x:,}" for x in window])
    left, right = axes.get_xticklabels()
    left.set_horizontalalignment("left")
    right.set_horizontalalignment("right")
    axes.yaxis.set_major_locator(MaxNLocator(3))


def _task(axes: Axes, window: list[int], centre: list[int]) -> None:
    """What is read and what is predicted, on the same scale as the signal above."""
    axes.add_patch(Rectangle((window[0], 0.8), window[1] - window[0], 0.16, facecolor=SEQUENCE, linewidth=0))
    axes.add_patch(Rectangle((centre[0], 0.8), centre[1] - centre[0], 0.16, facecolor=CENTRE, linewidth=0))
    middle = (centre[0] + centre[1]) / 2
    lines = (
        (0.62, f"sequence, {window[1] - window[0]} nt", SEQUENCE),
        (0.33, "model", style.DARK),
        (0.04, f"mean signal of the central {centre[1] - centre[0]} bp", CENTRE),
    )
    for y, text, colour in lines:
        shade = "black" if colour == SEQUENCE else colour
        axes.text(middle, y, text, ha="center", va="center", color=shade)
    for y in (0.55, 0.26):
        axes.annotate("", (middle, y - 0.15), (middle, y), arrowprops={"arrowstyle": "->", "linewidth": 0.7})
    axes.set(xlim=window, ylim=(-0.05, 1))
    axes.set_axis_off()
