"""Where does the time of a training step go? The straight path and ours, part by part and kernel by kernel.

    python benchmarks/profile_step.py --threads 1

Parts: data (the batch's rows, second strand), forward (with the masks and the loss), backward, optimiser (with the
clipping), logging (sums, running r). Kernels: the eight that take most of one step, from PyTorch's profiler.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from itertools import pairwise
from typing import Any

import pandas as pd
from harness import arguments, kind, pin, publish, where
from train_step import SHAPES, make_run, model_keys, ways

PARTS = ("data", "forward", "backward", "optimiser", "logging")


def parts_of_a_step(run: Any) -> dict[str, float]:
    """Seconds of each part of one step; what the loop does, cut into pieces."""
    import torch

    from proformer.evaluation.streaming import PearsonAccumulator
    from proformer.models.base import Loss
    from proformer.training.loop import LOSSES
    from proformer.training.optimiser import clip

    wait = torch.cuda.synchronize if run.device.type == "cuda" else lambda: None
    stamps = [time.perf_counter()]

    def stamp() -> None:
        wait()
        stamps.append(time.perf_counter())

    settings = run.settings
    batch = next(run.train.batches(settings.batch_size, run.train.order(1, 1)))
    stamp()
    run.optimiser.zero_grad()
    with torch.autocast(run.device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
        loss = Loss(*run.compute(batch))
    stamp()
    loss.total.backward()
    stamp()
    clip([p.grad for p in run.model.parameters() if p.grad is not None], settings)
    run.optimiser.step()
    run.model.after_step()
    run.schedule.step()
    stamp()
    PearsonAccumulator().update(loss.prediction.flatten(), batch.target.flatten())
    parts = loss.parts | {"total": loss.total.detach()}
    torch.stack([parts[name] for name in LOSSES.values() if name in parts]).double() * len(batch)
    stamp()
    return dict(zip(PARTS, (b - a for a, b in pairwise(stamps)), strict=True))


def kernels_of_a_step(run: Any, number: int = 8) -> list[tuple[str, float]]:
    """The kernels with the most time of their own in one step: name, seconds."""
    from torch.profiler import ProfilerActivity, profile

    gpu = run.device.type == "cuda"
    with profile(activities=[ProfilerActivity.CUDA if gpu else ProfilerActivity.CPU]) as profiler:
        parts_of_a_step(run)
    times = [
        (event.key, (event.self_device_time_total if gpu else event.self_cpu_time_total) / 1e6)
        for event in profiler.key_averages()
    ]
    return sorted(times, key=lambda pair: -pair[1])[:number]


def main(args: Any) -> None:
    """Measure, print, write."""
    from proformer.training import products

    place = pin(args.device, args.threads)
    rows = []
    for name in args.shapes:
        runs = {}
        for way, (rewrites, fast, precision) in ways(place).items():
            batch = 512 if place["device"] == "cuda" else SHAPES[name][3]
            runs[way] = make_run(model_keys(SHAPES[name], rewrites), batch, precision, place["device"]), fast
        parts: dict[tuple[str, str], list[float]] = defaultdict(list)
        for turn in range(-1, args.repeats):
            for way, (run, fast) in runs.items():
                products.use_onednn(fast and place["device"] == "cpu" and products.onednn_is_faster())
                for part, seconds in parts_of_a_step(run).items():
                    parts[way, part] += [seconds] if turn >= 0 else []
        for way, (run, fast) in runs.items():
            products.use_onednn(fast and place["device"] == "cpu" and products.onednn_is_faster())
            found = [("part", part, statistics.median(parts[way, part])) for part in PARTS]
            found += [("kernel", kernel, seconds) for kernel, seconds in kernels_of_a_step(run)]
            whole = sum(seconds for kind, _, seconds in found if kind == "part")
            rows += [
                {"shape": name, "way": way, "kind": kind, "what": what, "milliseconds": 1e3 * seconds,
                 "percent": 100 * seconds / whole}
                for kind, what, seconds in found
            ]  # fmt: skip
    publish(f"profile_{kind(place)}_{place['threads']}", pd.DataFrame(rows).assign(**place), args.out, draw_parts)


def draw_parts(table: pd.DataFrame) -> Any:
    """The parts of a step as one bar per way, a panel per shape."""
    from proformer.figures.style import DOUBLE, SERIES, new, styled

    @styled
    def draw() -> Any:
        parts = table[table["kind"] == "part"]
        names, rows = list(dict.fromkeys(parts["shape"])), list(dict.fromkeys(parts["way"]))
        figure = new(DOUBLE, 22 + 6 * len(rows), note=where(table))
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for axes, name in zip(panels, names, strict=True):
            wide = parts[parts["shape"] == name].pivot(index="way", columns="what", values="milliseconds").loc[rows]
            left = 0 * wide["data"]
            for part, colour in zip(PARTS, SERIES, strict=False):
                axes.barh(range(len(rows)), wide[part], left=left, color=colour, height=0.65, label=part)
                left = left + wide[part]
            axes.set(title=name, xlabel="milliseconds per step", yticks=range(len(rows)), yticklabels=rows)
        panels[0].invert_yaxis()
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(PARTS))
        return figure

    return draw()


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=3)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES), help="width/heads/blocks")
    main(parser.parse_args())
