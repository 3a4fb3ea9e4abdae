"""Training of Basenji and BPNet on a stored genome: ours beside straight eager PyTorch, in turns.

    python benchmarks/gopher.py --threads 1 --device cpu
    python benchmarks/gopher.py --device cuda

Windows of 3,072 bp with 15 tracks at base resolution, of which a step takes 64, cut to 2,048 bp, half of them turned.
"straight" is what GOPHER's TensorFlow code says, line by line in PyTorch: batches are cut, turned, binned and one-hot
encoded by NumPy, each task has a layer of its own, and torch.optim.Adam has its defaults. Both start from the same
weights: `apart` is the greatest difference of their outputs. `data_share` is what making a batch takes of our step. A
second table counts, without timing anything, how models grow with tasks, length and bins (`--windows 0`: it alone).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from harness import arguments, bars, interleave, kind, pin, publish, summarise, where
from matplotlib.ticker import LogLocator
from torch import nn
from torch.nn import functional as F

from proformer.datasets.batches import DeviceData
from proformer.datasets.store import StoreWriter, open_store
from proformer.figures.style import DOUBLE, SERIES, new, styled
from proformer.models import build
from proformer.planning.cost import cost
from proformer.tasks import Task
from proformer.training.config import read_job
from proformer.training.device import has_bf16
from proformer.training.loop import Run

SHIFT = 1024
BINS = {"basenji": 128, "bpnet": 1}
MODELS = {"Basenji": "basenji profile", "BPNet": "bpnet profile", "CNN": "residualbind cnn-task"}
MODELS |= {"ResidualBind": "residualbind residual-task"}


def store_of(path: Path, rows: int, tasks: int, length: int) -> Path:
    """Random windows with counts at base resolution."""
    random = np.random.default_rng(1)
    with StoreWriter(path, {"task": asdict(Task("profile", tuple(map(str, range(tasks))), bin=1))}) as writer:
        for first in range(0, rows, 64):
            codes = random.integers(0, 4, (64, length + SHIFT), dtype=np.uint8)
            target = random.poisson(1.0, (64, tasks, length + SHIFT)).astype(np.float32)
            writer.append(target=target, codes=codes, group=np.arange(first, first + 64))
    return path


def run_of(name: str, path: Path, bin_: int, rows: int, device: torch.device, **training: Any) -> Run:
    """Our training of a model; training: further keys."""
    store = open_store(path)
    facts = {"length": store.codes.shape[1], "flanks": ("", ""), **store.facts}
    keys, settings = read_job(
        {"model": {"model": name, "bin": bin_}, "training": {"shift": SHIFT, "batch_size": rows, **training}}, facts
    )
    task = replace(store.task, bin=bin_)
    data = DeviceData(store, device, task, shift=SHIFT, reverse=0.5)
    return Run(build(keys).to(device).train(), settings, data, data, "", None)  # type: ignore[arg-type]


class StraightBasenji(nn.Module):
    """Our Basenji's layers, called one by one as the original's are."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One-hot letters [B, 4, L] to coverage."""

        def block(part: Any, x: torch.Tensor) -> torch.Tensor:
            return part.norm(part.convolution(torch.sigmoid(1.702 * x) * x))

        model = self.model
        x = F.max_pool1d(block(model.first, x), 2)
        for first, second, dropout in model.blocks:
            x = x + dropout(block(second, block(first, x)))
        x = model.last[1](block(model.last[0], x))
        x = F.avg_pool1d(x, model.config.bin // 2)
        return F.softplus(model.output(x.transpose(1, 2))).transpose(1, 2)


class StraightBPNet(nn.Module):
    """Our BPNet's layers, and a convolution for each task."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        width, tasks, size = model.config.filters, model.config.tasks, model.config.head_kernel
        self.heads = nn.ModuleList(nn.Conv1d(width, 1, size, padding="same") for _ in range(tasks))
        with torch.no_grad():
            for number, head in enumerate(self.heads):
                head.weight.copy_(model.profile.weight[number : number + 1])
                head.bias.copy_(model.profile.bias[number : number + 1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One-hot letters [B, 4, L] to coverage."""
        model = self.model
        x = torch.relu(model.first(x))
        for layer in model.dilated:
            x = torch.add(torch.relu(layer(x)), x)
        heads = [F.avg_pool1d(head(x), model.config.bin) for head in self.heads]
        return F.softplus(torch.cat(heads, dim=1))


STRAIGHT = {"basenji": StraightBasenji, "bpnet": StraightBPNet}


def straight_of(name: str, model: nn.Module) -> nn.Module:
    """The straight form of a model of ours, whose layers it takes, with PyTorch's own dropout."""
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.__class__, layer.inplace = nn.Dropout, False
    return STRAIGHT[name](model)


def straight_batches(path: Path, bin_: int, rows: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches made by NumPy: pieces and strands drawn row by row, one-hot letters, mean coverage in bins."""
    store, random, letters = open_store(path), np.random.default_rng(1), np.eye(4, dtype=np.float32)
    length = store.codes.shape[1] - SHIFT
    while True:
        order = random.permutation(len(store))
        for first in range(0, len(order) - rows + 1, rows):
            x, y = [], []
            for row in order[first : first + rows]:
                start = random.integers(0, SHIFT)
                one_hot = letters[store.codes[row, start : start + length]]
                target = np.asarray(store.target[row, :, start : start + length])
                if random.random() < 0.5:
                    one_hot, target = one_hot[::-1, ::-1], target[:, ::-1]
                x.append(one_hot.T)
                y.append(target.reshape(len(target), -1, bin_).mean(axis=2))
            yield torch.from_numpy(np.stack(x)), torch.from_numpy(np.stack(y))


def our_step(run: Run, rows: int) -> Callable[[], None]:
    """A step of a run, on the next batch of an epoch in random order."""

    def epochs() -> Iterator[Any]:
        epoch = 0
        while True:
            yield from run.train.batches(rows, run.train.order(1, epoch), draw=1000 * epoch)
            epoch += 1

    batches = epochs()

    def step() -> None:
        run._update(next(batches))
        run.progress.step += 1

    return step


def straight_step(model: nn.Module, path: Path, bin_: int, rows: int, device: torch.device) -> Callable[[], None]:
    """A step as anybody would write it."""
    optimiser, batches = torch.optim.Adam(model.parameters(), lr=1e-3), straight_batches(path, bin_, rows)

    def step() -> None:
        x, y = (part.to(device) for part in next(batches))
        optimiser.zero_grad()
        output = model(x)
        loss = (output - y * torch.log(output + 1e-7)).mean()
        loss.backward()
        optimiser.step()
        float(loss.detach())

    return step


def apart(run: Run, straight: nn.Module, rows: int) -> float:
    """The greatest difference of the outputs of both for the same sequences, without dropout."""
    batch = run.train.batch(slice(0, min(rows, 4)))
    letters = F.one_hot(batch.codes.long(), 4).float().transpose(1, 2)
    with torch.no_grad():
        run.model.eval()
        difference = (run.model(batch.codes) - straight.eval()(letters)).abs().max().item()
    run.model.train()
    straight.train()
    return difference


def counts(args: Any) -> pd.DataFrame:
    """Parameters, operations and kept activations of models at full size, counted on the meta device, not timed."""
    rows = []
    for what, values in {"tasks": args.all_tasks, "length": args.all_lengths, "bin": args.all_bins}.items():
        for value, (name, words) in product(values, MODELS.items()):
            model, recipe = words.split()
            sizes = {"tasks": args.tasks, "length": args.length, "bin": 128} | {what: value}
            data = {"length": sizes["length"], "flanks": ("", ""), "tasks": sizes["tasks"], "bin": 1}
            job = {"model": {"model": model, "bin": sizes["bin"]}, "recipe": recipe}
            price = cost(read_job(job, data | {"target": sizes["length"]})[0])
            numbers = {"parameters": price.parameters, "gflop": price.training_flops / 1e9}
            rows.append({"model": name, "varied": what, **sizes, **numbers, "megabytes": price.activation_bytes / 1e6})
    return pd.DataFrame(rows)


@styled
def growth(table: pd.DataFrame) -> Any:
    """Draw what grows with tasks, length and bins: a line per model."""
    labels = {"parameters": "parameters", "gflop": "GFLOP of a step,\na sequence", "megabytes": "MB kept of it"}
    words = {"tasks": "tasks", "length": "length (bp)", "bin": "bin (bp)"}
    figure = new(DOUBLE, 110)
    panels = figure.subplots(len(labels), len(words), sharex="col", sharey="row")
    for (row, (column, label)), (place, (what, text)) in product(enumerate(labels.items()), enumerate(words.items())):
        axes, own = panels[row, place], table[table["varied"] == what]
        for colour, (name, part) in zip(SERIES, own.groupby("model", sort=False), strict=False):
            axes.plot(part[what], part[column], "o-", color=colour, markersize=3, label=name)
        axes.set(xscale="log", yscale="log", ylabel="" if place else label)
        axes.set_xlabel(text if row == len(labels) - 1 else "")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.yaxis.set_major_formatter("{x:,g}" if row else lambda value, _: f"{value / 1e6:g} M")
        axes.set_xticks(sorted(own[what].unique()), [f"{value:,}" for value in sorted(own[what].unique())])
        axes.minorticks_off()
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def main(args: Any) -> None:
    """Measure, print, write."""
    publish("gopher_growth", counts(args), args.out, growth)
    if not args.windows:
        return
    place = pin(args.device, args.threads)
    device = torch.device(place["device"])
    tables = []
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = store_of(Path(folder) / "store", args.windows, args.tasks, args.length)
        for name, bin_ in BINS.items():
            run, other = (run_of(name, path, bin_, args.rows, device) for _ in range(2))
            other.model.load_state_dict(run.model.state_dict())
            straight = straight_of(name, other.model).to(device)
            difference = apart(run, straight, args.rows)
            batches = run.train.batches(args.rows, run.train.order(1, 0).repeat(args.repeats + 2), draw=7)
            ways = {
                "straight": straight_step(straight, path, bin_, args.rows, device),
                "ours": our_step(run, args.rows),
                "our batch alone": lambda batches=batches: next(batches),
            }
            faster = {"bf16": {"precision": "bf16"}} if has_bf16(device) else {}
            faster |= {"bf16, compiled": {"precision": "bf16", "compile": True}} if device.type == "cuda" else {}
            for what, keys in faster.items():
                ways[f"ours, {what}"] = our_step(run_of(name, path, bin_, args.rows, device, **keys), args.rows)
            table = summarise(interleave(ways, args.repeats, 2), "straight")
            table.insert(0, "model", name)
            share = float(table["seconds"].iloc[2] / table["seconds"].iloc[1])
            timed = table[table["way"] != "our batch alone"]
            tables.append(timed.assign(bin=bin_, rows=args.rows, apart=difference, data_share=share))
            print(f"{name}: outputs apart by {difference:.1e}; making a batch takes {share:.1%} of a step")
    whole = pd.concat(tables, ignore_index=True).assign(**place)
    suffix = f"{kind(place)}_{place['threads']}"
    publish(
        f"gopher_{suffix}", whole, args.out,
        lambda t: bars(t, "times_straight", "speed, straight PyTorch = 1", "model", where(t)),
    )  # fmt: skip


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=9)
    parser.add_argument("--rows", type=int, default=64, help="of a step (default 64)")
    parser.add_argument("--windows", type=int, default=512, help="in the store (default 512); 0: no timing")
    parser.add_argument("--tasks", type=int, default=15, help="tracks (default 15)")
    parser.add_argument("--length", type=int, default=2048, help="bp that models read (default 2048)")
    parser.add_argument("--all-tasks", type=int, nargs="*", default=[1, 15, 60, 240], help="of the second table")
    parser.add_argument("--all-lengths", type=int, nargs="*", default=[1024, 2048, 4096, 8192], help="likewise")
    parser.add_argument("--all-bins", type=int, nargs="*", default=[1, 32, 128, 2048], help="of the second table")
    parser.add_argument("--folder", type=Path, help="where the store is written, and deleted (default: temporary)")
    main(parser.parse_args())
