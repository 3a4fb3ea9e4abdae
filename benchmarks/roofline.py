"""How near to the machine's limits does each shape of the grid train, and how does the time grow?

    python benchmarks/roofline.py --threads 1

Roofline: for every shape, the work that a step really does per byte that it must move at least (weights, gradients,
optimiser states and the activations kept for the backward pass, each written and read once), against the rate that it
reaches; the roof is what plain matrix products and copies reach on the same device in the same run. Growth: time of a
step over batch, length, depth and width around 64/2/2, and over the rows of the data set that batches are drawn from.
"""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pandas as pd
import torch
from harness import arguments, kind, pin, publish
from torch.utils.flop_counter import FlopCounterMode

from proformer.datasets.batches import both_strands
from proformer.planning.benchmark import RandomData, bandwidth, gemm_peak, one_step, random_run, seconds_of

SHAPES = [(d, h, n) for d, h in ((64, 2), (128, 4), (256, 8), (512, 8)) for n in (1, 2, 4, 8)]
GROWTH = {
    "batch": [16, 32, 64, 128, 256],
    "length": [50, 100, 200, 400],
    "blocks": [1, 2, 4, 8],
    "dim": [32, 64, 128, 256],
    "rows": [10_000, 100_000, 1_000_000, 6_740_000],
}


def executed_work(run: Any) -> tuple[float, float, float]:
    """FLOPs that a step executes (counted), the least bytes that it moves, and those kept for the backward pass."""
    from proformer.training import products

    kept = 0

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += tensor.numel() * tensor.element_size()
        return tensor

    fast = products.onednn_is_faster() and run.device.type == "cpu"
    products.use_onednn(False)  # so that the counter sees every product
    with FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        one_step(run)
    products.use_onednn(fast)
    parameters = sum(p.numel() for p in run.model.parameters())
    return counter.get_total_flops(), 2 * kept + 4 * parameters * (2 + 2 + 4), kept


def roofline(args: Any, device: torch.device, place: dict[str, Any]) -> None:
    """Measured rate of every shape against the roof."""
    rows = []
    copy = peak = 0.0
    for dim, heads, blocks in SHAPES:
        if dim > args.widest or blocks > args.deepest:
            continue
        size = 512 if device.type == "cuda" else max(2, 8192 // (dim * blocks))
        run = random_run({"dim": dim, "heads": heads, "blocks": blocks}, size, args.precision, device)
        seconds = seconds_of(lambda run=run: one_step(run), device, 0.3, args.repeats)
        flops, moved, _ = executed_work(run)
        copy, peak = max(copy, bandwidth(device)), max(peak, gemm_peak(device, args.precision))  # the best of all turns
        rows.append({
            "shape": f"{dim}/{heads}/{blocks}", "dim": dim, "batch": size, "seconds": seconds, "flops": flops,
            "bytes": moved, "flops_per_byte": flops / moved, "flops_per_second": flops / seconds,
            "precision": args.precision,
        })  # fmt: skip
        print(f"{rows[-1]['shape']}: {flops / seconds / 1e9:,.0f} GFLOP/s", flush=True)
    table = pd.DataFrame(rows).assign(gemm_flops_per_second=peak, bytes_per_second=copy)
    table["percent_of_peak"] = 100 * table["flops_per_second"] / peak
    table["percent_of_roof"] = 100 * table["flops_per_second"] / (copy * table["flops_per_byte"]).clip(upper=peak)
    publish(f"roofline_{kind(place)}_{args.precision}", table.assign(**place), args.out, draw_roofline)


def draw_roofline(table: pd.DataFrame) -> Any:
    """Rate over intensity, under the roof."""
    import numpy as np

    from proformer.figures.style import DARK, SERIES, SINGLE, new, styled

    @styled
    def draw() -> Any:
        note = f"{table['machine'][0]}; {table['threads'][0]} thread(s), {table['precision'][0]}"
        figure = new(SINGLE, 75, note=note)
        axes = figure.subplots()
        peak, copy = table["gemm_flops_per_second"][0] / 1e9, table["bytes_per_second"][0] / 1e9
        x = np.geomspace(min(1, table["flops_per_byte"].min() / 2), 4 * table["flops_per_byte"].max(), 200)
        axes.plot(x, np.minimum(peak, copy * x), color=DARK)
        axes.text(x[-1], peak * 1.1, f"matrix products, {peak:,.0f} GFLOP/s", ha="right", va="bottom")
        axes.text(x[0] * 1.6, copy * x[0], f"copies, {copy:,.0f} GB/s", va="center")
        for (dim, rows), colour in zip(table.groupby("dim"), SERIES, strict=False):
            rates = rows["flops_per_second"] / 1e9
            axes.plot(rows["flops_per_byte"], rates, "o", ms=3, color=colour, label=f"width {dim}")
        axes.set(xscale="log", yscale="log", xlabel="FLOP per byte moved at least", ylabel="GFLOP/s")
        axes.set_ylim(copy * x[0] / 2, 2 * peak)
        plain_numbers(axes.xaxis, axes.yaxis)
        axes.legend(loc="lower right")
        return figure

    return draw()


def plain_numbers(*axes: Any) -> None:
    """Write 1, 2, 5, 10 on logarithmic axes."""
    from matplotlib.ticker import LogLocator

    for axis in axes:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(lambda value, position: f"{value:g}")
        axis.set_minor_formatter(lambda value, position: "")


def growth(args: Any, device: torch.device, place: dict[str, Any]) -> None:
    """Time of a step as one thing grows and the others stay."""
    rows = []
    for what, values in GROWTH.items():
        for value in values:
            keys = {"dim": 64, "heads": 2, "blocks": 2}
            size = value if what == "batch" else 512 if device.type == "cuda" else 32
            keys |= {what: value} if what in ("length", "blocks", "dim") else {}
            run = random_run(keys, size, args.precision, device)
            data = RandomData(value if what == "rows" else 4 * size, keys.get("length", 100), device)
            batches = cycle(data.batches(size, data.order(1, 0)[: 64 * size]))

            def step(run=run, batches=batches):
                batch = next(batches)
                run._update(both_strands(batch.codes), batch.target.flatten())

            seconds = seconds_of(step, device, 0.3, args.repeats)
            rows.append({
                "what": what, "value": value, "seconds": seconds, "sequences_per_second": size / seconds,
                "data_mb": data.codes.numel() / 1e6, "activations_mb": executed_work(run)[2] / 1e6,
            })  # fmt: skip
    table = pd.DataFrame(rows).assign(precision=args.precision, **place)
    publish(f"growth_{kind(place)}_{args.precision}", table, args.out, draw_growth)


def draw_growth(table: pd.DataFrame) -> Any:
    """A panel per thing that grows; dotted: in proportion."""
    from matplotlib.ticker import EngFormatter

    from proformer.figures.style import BLUE, DOUBLE, GREY, new, styled

    @styled
    def draw() -> Any:
        figure = new(DOUBLE, 80, note=f"{table['machine'][0]}; {table['threads'][0]} thread(s); around 64/2/2")
        panels = figure.subplots(2, table["what"].nunique(), sharex="col", sharey="row")
        for column, (what, rows) in zip(panels.T, table.groupby("what", sort=False), strict=True):
            for axes, values in zip(column, (rows["seconds"], rows["data_mb"] + rows["activations_mb"]), strict=True):
                axes.plot(rows["value"], values, "o-", ms=3, color=BLUE)
                if what != "rows":
                    axes.plot(rows["value"], values.iloc[0] * rows["value"] / rows["value"].iloc[0], ":", color=GREY)
                axes.set(xscale="log", yscale="log")
                plain_numbers(axes.yaxis)
                axes.minorticks_off()
            axes.set_xlabel(what)
            axes.set_xticks(rows["value"], [EngFormatter(sep="")(value) for value in rows["value"]])
        panels[0, 0].set_ylabel("seconds per step")
        panels[1, 0].set_ylabel("data and activations, MB")
        return figure

    return draw()


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=3)
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--widest", type=int, default=512, help="leave wider shapes out")
    parser.add_argument("--deepest", type=int, default=8, help="leave deeper shapes out")
    parser.add_argument("--only", choices=("roofline", "growth"))
    args = parser.parse_args()
    place = pin(args.device, args.threads)
    device = torch.device(place["device"])
    if args.only != "growth":
        roofline(args, device, place)
    if args.only != "roofline":
        growth(args, device, place)
