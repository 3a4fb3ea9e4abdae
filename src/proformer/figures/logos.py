"""Sequence logos: letters as high as their scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from proformer.figures import style
from proformer.sequences import ALPHABET

COLOURS = {"A": style.GREEN, "C": style.BLUE, "G": style.ORANGE, "T": style.VERMILLION}


def logo(axes: Axes, heights: np.ndarray, first: float = 0) -> None:
    """Draw letters of heights [L, 4] (A, C, G, T) on top of each other, negative ones below the line; 0: nothing.

    first: where the first position stands on the x axis.
    """
    for place, row in enumerate(heights):
        tops = {1: 0.0, -1: 0.0}
        for column in np.argsort(np.abs(row)):  # the highest outside
            if (height := float(row[column])) == 0:
                continue
            sign = 1 if height > 0 else -1
            axes.add_patch(_letter(ALPHABET[column], first + place, tops[sign], height, axes))
            tops[sign] += height
    axes.axhline(0, color=style.DARK, linewidth=0.4)
    low, high = np.minimum(heights, 0).sum(axis=1).min(), np.maximum(heights, 0).sum(axis=1).max()
    room = 0.05 * (high - low) or 1.0
    axes.set(xlim=(first - 0.5, first + len(heights) - 0.5), ylim=(low - room, high + room))


def _letter(letter: str, place: float, bottom: float, height: float, axes: Axes) -> PathPatch:
    path = _paths()[letter]
    box = path.get_extents()
    move = Affine2D().translate(-box.x0, -box.y0).scale(0.9 / box.width, height / box.height)
    return PathPatch(move.translate(place - 0.45, bottom).transform_path(path), color=COLOURS[letter], linewidth=0)


def _paths() -> dict[str, Any]:
    if not _PATHS:
        font = FontProperties(family="DejaVu Sans", weight="bold")
        _PATHS.update({letter: TextPath((0, 0), letter, size=1, prop=font) for letter in COLOURS})
    return _PATHS


_PATHS: dict[str, Any] = {}


@style.styled
def draw_store(store: Path, out: Path, number: int) -> None:
    """Draw what each letter contributes in the first sequences of a store of scores: OUT/ROW.png, .pdf, .svg, .tsv."""
    from proformer.datasets.store import open_store
    from proformer.explain.attribution import contributions

    opened = open_store(store)
    codes, tasks = opened.codes[:number], opened.task.names
    values = contributions(opened.columns["scores"][:number], codes)
    for row, (letters, found) in enumerate(zip(codes, values, strict=True)):
        known = np.flatnonzero(letters < len(COLOURS))
        figure, panels = style.panels(len(tasks), 1, (8, 22), "", "", sharex=True)
        for axes, task, numbers in zip(panels, tasks, found, strict=True):
            heights = np.zeros((len(letters), 4))
            heights[known, letters[known]] = numbers[known]
            logo(axes, heights[known[0] : known[-1] + 1] if len(known) else heights, known[0] if len(known) else 0)
            axes.set_ylabel(task)
        table = pd.DataFrame({"position": known, "letter": [ALPHABET[code] for code in letters[known]]})
        for task, numbers in zip(tasks, found, strict=True):
            table[task] = numbers[known]
        style.save(figure, str(out / str(row)), table)
