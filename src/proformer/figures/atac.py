"""The data of the ATAC-seq part: lengths of fragments, signal around summits, and the sampled windows."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, NullFormatter

from proformer.figures import style

# Lengths that Buenrostro et al. (2013) take as free of nucleosomes and as holding one, two and three.
LADDER = {"free": (0, 100), "1": (180, 247), "2": (315, 473), "3": (558, 615)}
LONGEST = 1000  # bp drawn
SMALL, STEP = 100_000, 10  # libraries of fewer fragments are counted in steps of 10 bp: single lengths are noise
PANELS = {"distance": "distance to summit, bp", "gc": "G+C content, %", "target": "target: signal of the centre"}
BINS = 25
SHADE = {"color": style.BLUE, "alpha": 0.25, "linewidth": 0}


@style.styled
def fragments(lengths: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw a table of sample, length (bp), count: one line per sample, its share of fragments per bp of length.

    Shares are of all fragments; up to 1,000 bp are drawn, in steps of 10 bp where a library is small. Returns the
    figure (85 mm wide) and sample, length (the step's first bp), count, share (per mille per bp). Raises InputError for
    missing columns or no fragments.
    """
    style.needed(lengths, ["sample", "length", "count"], "fragment lengths")
    totals = lengths.groupby("sample")["count"].sum()
    step = STEP if len(totals) and totals.min() < SMALL else 1
    table = lengths.assign(length=lengths["length"] // step * step)
    table = table.groupby(["sample", "length"], as_index=False)["count"].sum()
    table["share"] = 1000 * table["count"] / table["sample"].map(totals) / step
    table = style.needed(table[(table["length"] <= LONGEST) & (table["count"] > 0)], [], "fragment lengths")
    samples = sorted(table["sample"].unique())
    counted = f"counted in steps of {step} bp; " if step > 1 else ""
    note = f"{counted}bands: Buenrostro et al. 2013\nthis run: n = {int(totals.sum()):,} fragments"
    figure = style.new(style.SINGLE, 82 + 4 * ((len(samples) - 1) // 4), letter, note)
    linear, log = panels = figure.subplots(2, 1, sharex=True)
    many = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(samples)))
    colours = style.SERIES if len(samples) <= len(style.SERIES) else many
    end = min(LONGEST, max(int(table["length"].max()), 300))
    for axes in panels:
        for low, high in LADDER.values():
            axes.axvspan(low, high, color="#eeeeee", linewidth=0)
    for name, (low, high) in LADDER.items():
        if high <= end:
            place = {"transform": linear.get_xaxis_transform(), "ha": "center", "va": "bottom"}
            text = f"{name} nucl." if name == "1" else name
            linear.text((low + high) / 2, 1.01, text, size=style.SMALL, color=style.GREY, **place)
    for colour, (sample, chosen) in zip(colours, table.groupby("sample"), strict=False):
        steps = np.arange(chosen["length"].min(), chosen["length"].max() + 1, step)
        share = chosen.set_index("length")["share"].reindex(steps)
        linear.plot(steps + step // 2, share.fillna(0), color=colour, linewidth=0.7, label=str(sample))
        log.plot(steps + step // 2, share, color=colour, linewidth=0.7)
    linear.set_ylim(bottom=0)
    log.set_yscale("log")
    log.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    log.yaxis.set_minor_formatter(NullFormatter())
    log.set(xlabel="fragment length, bp", xlim=(0, end))
    figure.supylabel("fragments per bp of length, ‰", size=style.NORMAL)
    names = [f"library {name}" for name in samples] if len(samples) <= 4 else samples
    lines = linear.get_legend_handles_labels()[0]
    figure.legend(lines, names, loc="outside upper center", ncols=min(len(samples), 4))
    return figure, table[["sample", "length", "count", "share"]]


@style.styled
def profile(profile: pd.DataFrame, heatmap: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw profile (position, mean, q25, q75) above heatmap (row, bin, signal); both in bp from the summit.

    Rows are in the order of their numbers, the first on top. `bin` is the first base of a bin, or its middle when the
    bins lie symmetrically about 0. The colours end at the 99th percentile. Returns the figure (85 mm wide) and the two
    tables as one, `element` profile or heatmap. Raises InputError for missing columns or no rows.
    """
    style.needed(profile, ["position", "mean", "q25", "q75"], "profile")
    style.needed(heatmap, ["row", "bin", "signal"], "heat map")
    profile = profile.sort_values("position")
    cells = heatmap.pivot(index="row", columns="bin", values="signal").sort_index()
    bins, rows = cells.columns.to_numpy(dtype=float), len(cells)
    step = float(np.median(np.diff(bins))) if len(bins) > 1 else 1.0
    first = bins - step / 2 if abs(bins[0] + bins[-1]) < step / 4 else bins
    edges = np.append(first, first[-1] + step)
    note = f"this run: {rows:,} summit{'s' * (rows > 1)} shown, highest signal on top"
    figure = style.new(style.SINGLE, 105, letter, note)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.8])
    upper.fill_between(profile["position"], profile["q25"], profile["q75"], label="quartiles", **SHADE)
    upper.plot(profile["position"], profile["mean"], color=style.BLUE, label="mean")
    upper.set(ylabel="signal, per million", ylim=(0, None))
    upper.legend(loc="upper right")
    top, colours = float(np.nanquantile(cells, 0.99)) or 1.0, matplotlib.colormaps["cividis"]
    mesh = lower.pcolormesh(edges, np.arange(rows + 1) + 0.5, cells, cmap=colours, vmin=0, vmax=top, rasterized=True)
    lower.invert_yaxis()
    lower.set(xlabel="distance from summit, bp", ylabel="summits", xlim=(edges[0], edges[-1]))
    lower.set_yticks([1, rows] if rows > 1 else [1])
    style.colour_bar(figure, mesh, lower, "signal, per million", pad=0.03, extend="max")
    drawn = pd.concat([profile.assign(element="profile"), heatmap.assign(element="heatmap")], ignore_index=True)
    return figure, drawn[["element", "position", "mean", "q25", "q75", "row", "bin", "signal"]]


@style.styled
def windows(windows: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw a table with a row per window, distance (bp), gc (0 to 1), target: histograms, and the target by distance.

    Returns the figure (180 mm wide) and what is drawn: panel, low, high (edges of a bin), count, and q25, median, q75
    of the target in it for the panel `target by distance`. Raises InputError for missing columns or no rows.
    """
    style.needed(windows, list(PANELS), "windows")
    windows = windows.assign(gc=100 * windows["gc"])
    n = len(windows)
    figure = style.new(style.DOUBLE, 48, letter, f"this run: n = {n:,} window{'s' * (n > 1)}")
    *histograms, last = figure.subplots(1, 4)
    tables = []
    for axes, (column, name) in zip(histograms, PANELS.items(), strict=True):
        edges = _edges(windows[column].to_numpy(dtype=float), whole=column == "gc")
        count, _ = np.histogram(windows[column], edges)
        axes.stairs(count, edges, fill=True, color=style.BLUE, alpha=0.8)
        axes.set(xlabel=name, xlim=(edges[0], edges[-1]))
        tables.append(pd.DataFrame({"panel": column, "low": edges[:-1], "high": edges[1:], "count": count}))
    histograms[0].set_ylabel("windows")
    by = _by_distance(windows)
    middle = (by["low"] + by["high"]) / 2
    last.fill_between(middle, by["q25"], by["q75"], label="quartiles", **SHADE)
    last.plot(middle, by["median"], color=style.BLUE, marker="." if len(by) < 3 else "", label="median")
    last.set(xlabel=PANELS["distance"], ylabel="target")
    last.legend(loc="best")
    drawn = pd.concat([*tables, by.assign(panel="target by distance")], ignore_index=True)
    return figure, drawn[["panel", "low", "high", "count", "q25", "median", "q75"]]


def _edges(values: np.ndarray, whole: bool = False) -> np.ndarray:
    """Edges of at most 25 bins; `whole`: of whole numbers, so that none holds more possible values than another."""
    low, high = float(values.min()), float(values.max())
    if whole:
        step = max(1, int(np.ceil((high - low + 1) / BINS)))
        return np.arange(np.floor(low) - 0.5, high + 0.5 + step, step)
    return np.linspace(low, high if high > low else low + 1, BINS + 1)


def _by_distance(windows: pd.DataFrame) -> pd.DataFrame:
    edges = _edges(windows["distance"].to_numpy(dtype=float))
    place = np.clip(np.searchsorted(edges, windows["distance"], side="right") - 1, 0, len(edges) - 2)
    groups = windows.groupby(place)["target"]
    table = groups.quantile([0.25, 0.5, 0.75]).unstack().set_axis(["q25", "median", "q75"], axis=1)
    found = table.index.to_numpy()
    return table.assign(low=edges[found], high=edges[found + 1], count=groups.size()).reset_index(drop=True)
