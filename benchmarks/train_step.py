"""How long does one training step take? Ours, beside the straight eager float32 path, in turns.

    python benchmarks/train_step.py --threads 1

The straight path is the model as it is written down: no rewrite, the default matrix library. Both run the training
loop's own step: loss, gradients, clipping, Adam. On a GPU batches are 512. Operations are those of the straight path,
so a rate of "original" operations may exceed what the processor can do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from harness import arguments, bars, interleave, own_peak, peak_memory, pin, publish, summarise

SHAPES = {"64/2/2": (64, 2, 2, 128), "512/8/4": (512, 8, 4, 8)}
REWRITES = ("merge_projections", "read_rows_only", "convolve_in_place")
# name: rewrites, fast matrix library, precision
WAYS = {
    "straight, float32": (False, False, "float32"),
    "straight, bf16": (False, False, "bf16"),
    "rewrites, float32": (True, False, "float32"),
    "ours, float32": (True, True, "float32"),
    "ours, bf16": (True, True, "bf16"),
}


def model_keys(shape: tuple[int, int, int, int], rewrites: bool) -> dict[str, Any]:
    """The config of a model of the grid, width/heads/blocks."""
    dim, heads, blocks, _ = shape
    return {"dim": dim, "heads": heads, "blocks": blocks} | dict.fromkeys(REWRITES, rewrites)


def make_step(keys: dict[str, Any], batch: int, precision: str, fast: bool, device: str) -> Callable[[], None]:
    """A training step on fixed random sequences, by the training loop itself."""
    import torch

    from proformer.datasets.batches import DeviceData, both_strands
    from proformer.models import build
    from proformer.training import products
    from proformer.training.config import Training
    from proformer.training.loop import Run

    torch.manual_seed(1)
    data = DeviceData.__new__(DeviceData)
    data.codes = torch.randint(0, 4, (batch, 100), dtype=torch.uint8).to(device)
    data.target = torch.randn(batch).to(device)
    run = Run(
        model=build(keys).to(device), settings=Training(batch_size=batch, precision=precision), train=data,
        validation=data, digest="", checkpoint=None,  # type: ignore[arg-type]
    )  # fmt: skip
    run.model.train()
    library = fast and device == "cpu" and products.pays()

    def step() -> None:
        products.use(library)
        run._update(both_strands(data.codes), data.target)
        run.progress.step += 1

    return step


def flops(dim: int, heads: int, blocks: int, tokens: int = 32, length: int = 200, kmer: int = 10) -> float:
    """Original work of a training step, per sequence: forward, three times (see benchmarks/README.md)."""
    rows = length + tokens
    block = 2 * (2 * rows * 4 * dim**2 + 2 * rows * 2 * dim**2) + 2 * rows * dim**2 + 30 * rows * dim
    block += 8 * rows * dim**2 * heads + 4 * rows**2 * dim * heads
    return 3 * (2 * length * 6 * kmer * dim + blocks * block)


def main(args: Any) -> None:
    """Measure, print, write."""
    place = pin(args.device, args.threads)
    gpu = place["device"] == "cuda"
    tables = []
    for name in args.shapes:
        *shape, batch = SHAPES[name]
        batch = args.batch or (512 if gpu else batch)
        steps = {
            way: make_step(model_keys((*shape, batch), rewrites), batch, precision, fast, place["device"])
            for way, (rewrites, fast, precision) in WAYS.items()
        }
        table = summarise(interleave(steps, args.repeats, 10 if gpu else 1), "straight, float32")
        del steps
        table.insert(0, "shape", name)
        table.insert(1, "batch", batch)
        table["sequences_per_second"] = batch / table["seconds"]
        table["original_gflops_per_second"] = table["sequences_per_second"] * flops(*shape) / 1e9
        if not gpu:
            own = ("--device", "cpu", "--threads", args.threads, "--shapes", name, "--only")
            table["peak_mb"] = [peak_memory(__file__, *own, way) for way in table["way"]]
        tables.append(table)
    table = pd.concat(tables, ignore_index=True).assign(**place)
    note = f"{place['machine']}; {place['threads']} thread(s)"
    publish(
        f"train_step_{place['device']}_{place['threads']}", table, args.out,
        lambda t: bars(t.assign(panel=t["shape"] + ", batch " + t["batch"].astype(str)), "times_straight",
                       "speed, straight float32 path = 1", "panel", note),
    )  # fmt: skip


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES), help="width/heads/blocks")
    parser.add_argument("--batch", type=int, help="sequences per step (default: by shape and device)")
    parser.add_argument("--only", choices=WAYS, help="run two steps of one way and print the peak memory in MB")
    args = parser.parse_args()
    if args.only:
        pin(args.device, args.threads)
        *shape, batch = SHAPES[args.shapes[0]]
        rewrites, fast, precision = WAYS[args.only]
        step = make_step(model_keys((*shape, batch), rewrites), args.batch or batch, precision, fast, args.device)
        step(), step()
        print(own_peak())
    else:
        main(args)
