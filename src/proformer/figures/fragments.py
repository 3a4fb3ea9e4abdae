"""Lengths of ATAC-seq fragments and the nucleosome ladder in them, on a linear and on a logarithmic scale."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from proformer.figures import style

# Lengths that Buenrostro et al. (2013) take as free of nucleosomes and as holding one, two and three.
LADDER = {"free": (0, 100), "1": (180, 247), "2": (315, 473), "3": (558, 615)}
LONGEST = 1000  # bp drawn
SMALL, STEP = 100_000, 10  # libraries of fewer fragments are counted in steps of 10 bp: single lengths are noise


@style.styled
def draw(lengths: pd.DataFrame, label: str = "", letter: str = "") -> tuple[Figure, pd.DataFrame]:
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
    table = table[(table["length"] <= LONGEST) & (table["count"] > 0)].sort_values(["sample", "length"])
    style.needed(table, [], "fragment lengths")
    samples = sorted(table["sample"].unique())
    counted = f"counted in steps of {step} bp; " if step > 1 else ""
    note = f"{counted}bands: Buenrostro et al. 2013\n{label or 'this run'}: n = {int(totals.sum()):,} fragments"
    figure = style.new(style.SINGLE, 82 + 4 * ((len(samples) - 1) // 4), letter, note)
    panels = figure.subplots(2, 1, sharex=True)
    colours = (
        style.SERIES
        if len(samples) <= len(style.SERIES)
        else matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(samples)))
    )
    end = min(LONGEST, max(int(table["length"].max()), 300))
    for axes in panels:
        for name, (low, high) in LADDER.items():
            axes.axvspan(low, high, color="#eeeeee", linewidth=0)
            if axes is panels[0] and high <= end:
                text = name if name == "free" else f"{name} nucl." if name == "1" else name
                axes.text((low + high) / 2, 1.01, text, size=style.SMALL, ha="center", va="bottom", color=style.GREY,
                          transform=axes.get_xaxis_transform())  # fmt: skip
        for i, (sample, chosen) in enumerate(table.groupby("sample")):
            full = chosen.set_index("length")["share"].reindex(
                np.arange(chosen["length"].min(), chosen["length"].max() + 1, step)
            )
            values = full.fillna(0) if axes is panels[0] else full
            axes.plot(full.index + step // 2, values, color=colours[i], linewidth=0.7, label=str(sample))
    panels[0].set_ylim(bottom=0)
    panels[1].set_yscale("log")
    panels[1].yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    panels[1].yaxis.set_minor_formatter(NullFormatter())
    panels[1].set(xlabel="fragment length, bp", xlim=(0, end))
    figure.supylabel("fragments per bp of length, ‰", size=style.NORMAL)
    names = [f"library {name}" for name in samples] if len(samples) <= 4 else samples
    lines = panels[0].get_legend_handles_labels()[0]
    figure.legend(lines, names, loc="outside upper center", ncols=min(len(samples), 4))
    return figure, table[["sample", "length", "count", "share"]]
