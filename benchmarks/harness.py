"""What all benchmarks share: interleaved repeats, medians and ranges, a table and a figure, and where it was measured.

Ways that are compared run in one process and take turns, so that a busy machine slows all of them alike. A repeat's
ratio is taken within its turn; medians are over repeats. Results go to benchmarks/results as TSV, PDF, SVG and PNG.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

RESULTS = Path(__file__).parent / "results"


def arguments(doc: str | None, repeats: int = 7) -> argparse.ArgumentParser:
    """Options that every benchmark has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=repeats, help="turns of each way (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto: a GPU when there is one (default)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    return parser


def pin(device: str, threads: int) -> dict[str, Any]:
    """Choose the device and pin the threads as a training does; returns where this runs, for the table."""
    import torch

    from proformer.training.device import choose_device, hardware, set_up

    where = choose_device(device)
    set_up(where, threads, None)
    place = {
        "device": where.type,
        "machine": hardware(where),
        "isa": _isa(where.type),
        "threads": torch.get_num_threads(),
    }
    print(" · ".join(f"{name} {value}" for name, value in (place | {"torch": torch.__version__}).items()), flush=True)
    return place


def _isa(device: str) -> str:
    """The instructions that are used; "switched" where the environment keeps PyTorch from those that are there."""
    import torch

    if device == "cuda":
        return ""
    isa = torch.backends.cpu.get_cpu_capability()
    cpuinfo = Path("/proc/cpuinfo")
    if isa == "AVX512" and cpuinfo.exists() and re.search(r"AMD\ncpu family\s*: 25\n", cpuinfo.read_text()):
        isa += " (units of 256 bits)"  # Zen 4: an instruction takes two turns
    return isa + (" (switched)" if "ATEN_CPU_CAPABILITY" in os.environ else "")


def kind(place: Mapping[str, Any]) -> str:
    """What the name of a table ends with: device, and the instructions where they are not AVX-512 at full width."""
    isa = place["isa"].lower().replace(" (units of 256 bits)", "_256").split(" ")[0]
    return place["device"] + (f"_{isa}" if isa not in ("", "avx512") else "")


def where(table: pd.DataFrame) -> str:
    """A figure's note on where it was measured."""
    first = table.iloc[0]
    return f"{first['machine']}{', ' + first['isa'] if first['isa'] else ''}; {first['threads']} thread(s)"


def interleave(ways: Mapping[str, Callable[[], object]], repeats: int, warm_up: int = 1) -> dict[str, list[float]]:
    """Seconds of each way, `repeats` times each, in turns. On a GPU, until the device is done."""
    import torch

    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(-warm_up, repeats):
        for name, way in ways.items():
            wait()
            started = time.perf_counter()
            way()
            wait()
            if turn >= 0:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def summarise(seconds: Mapping[str, list[float]], reference: str) -> pd.DataFrame:
    """A row per way: median seconds, range, and its ratio to the reference within a turn (median and range)."""
    rows = []
    for name, times in seconds.items():
        ratios = [slow / fast for slow, fast in zip(seconds[reference], times, strict=True)]
        rows.append({
            "way": name, "seconds": statistics.median(times), "fastest": min(times), "slowest": max(times),
            "times_straight": statistics.median(ratios), "ratio_low": min(ratios), "ratio_high": max(ratios),
            "repeats": len(times),
        })  # fmt: skip
    return pd.DataFrame(rows)


def peak_memory(script: str, *options: object) -> float:
    """Peak memory of one way in a process of its own, in MB: the script is called with these options and prints it."""
    command = [sys.executable, script, *map(str, options)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def own_peak() -> float:
    """Peak memory of this process so far, in MB; on a GPU, of the device."""
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 1e6
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1e3  # type: ignore[index]


def publish(name: str, table: pd.DataFrame, out: Path, draw: Callable[[pd.DataFrame], Any] | None = None) -> None:
    """Print a table, and write it with its figure."""
    from proformer.figures.style import save
    from proformer.files import write_table

    print(table.round(3).to_string(index=False), flush=True)
    if draw is None:
        write_table(out / f"{name}.tsv", table)
    else:
        save(draw(table), str(out / name), table)


def measures(names: str, columns: Mapping[str, str]) -> Callable[[pd.DataFrame], Any]:
    """A drawing function: a bar for each of `names`, a panel for each column (its label); logarithmic if need be."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    from proformer.figures.style import BLUE, DOUBLE, new, styled

    @styled
    def draw(table: pd.DataFrame) -> Any:
        one = "threads" in table and table["threads"].nunique() == 1
        where = table["machine"].iloc[0] + (f"; {table['threads'].iloc[0]} thread(s)" if one else "")
        figure = new(DOUBLE, 18 + 5 * len(table), note=where)
        panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
        for axes, (column, label) in zip(panels, columns.items(), strict=True):
            values = table[column]
            axes.barh(range(len(values)), values.fillna(0), color=BLUE, height=0.65)
            wide = values.max() > 50 * values.min() > 0
            for place, value in enumerate(values):
                if value == value:
                    axes.text(value, place, f" {value:,.3g}" if value < 1000 else f" {value:,.0f}", va="center")
            axes.set(xlabel=label, yticks=range(len(values)), yticklabels=table[names].astype(str))
            axes.set_xscale("log" if wide else "linear")
            axes.set_xlim(values.min() / 2 if wide else 0, values.max() * (12 if wide else 1.4))
            axes.xaxis.set_major_locator(LogLocator(numticks=5) if wide else MaxNLocator(4))
            axes.xaxis.set_major_formatter(lambda value, position: f"{value:,g}" if value < 1e4 else f"{value:,.0f}")
            axes.minorticks_off()
        panels[0].invert_yaxis()
        return figure

    return draw


def bars(table: pd.DataFrame, value: str, label: str, groups: str, note: str) -> Any:
    """Horizontal bars of a ratio with its range, a panel per group, a line at 1."""
    from proformer.figures.style import BLUE, DOUBLE, GREY, new, styled

    @styled
    def draw() -> Any:
        names = list(dict.fromkeys(table[groups]))
        ways = list(dict.fromkeys(table["way"]))
        figure = new(DOUBLE, 18 + 6 * len(ways), note=note)
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for axes, name in zip(panels, names, strict=True):
            rows = table[table[groups] == name]
            places = [ways.index(way) for way in rows["way"]]
            errors = [rows[value] - rows["ratio_low"], rows["ratio_high"] - rows[value]]
            axes.barh(places, rows[value], xerr=errors, color=BLUE, height=0.65, error_kw={"lw": 0.6, "ecolor": GREY})
            for place, number, high in zip(places, rows[value], rows["ratio_high"], strict=True):
                axes.text(high, place, f" {number:.2f}", va="center")
            axes.axvline(1, color=GREY, lw=0.6, ls=":")
            axes.set(title=name, xlabel=label, yticks=range(len(ways)), yticklabels=ways)
            axes.set_xlim(0, 1.2 * rows["ratio_high"].max())
        panels[0].invert_yaxis()
        return figure

    return draw()
