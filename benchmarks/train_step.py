"""How long does one training step take? Ours, beside the straight eager float32 path, in turns.

    python benchmarks/train_step.py --threads 1

The straight path is the model as it is written down: no rewrite, the default matrix library. Both run the training
loop's own step: loss, gradients, clipping, Adam. On a GPU batches are 512. Operations are those of the straight path,
so a rate of "original" operations may exceed the peak: what plain products of this precision reach in the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pandas as pd
from harness import arguments, bars, interleave, kind, own_peak, peak_memory, pin, publish, summarise, where

from proformer.planning.cost import TRAINING, cost

SHAPES = {"64/2/2": (64, 2, 2, 128), "512/8/4": (512, 8, 4, 8)}
REWRITES = ("merge_projections", "read_rows_only", "convolve_in_place", "fuse_feed_forward")
# name: rewrites, fast matrix library, precision
WAYS = {
    "straight, float32": (False, False, "float32"),
    "straight, bf16": (False, False, "bf16"),
    "rewrites, float32": (True, False, "float32"),
    "ours, float32": (True, True, "float32"),
    "ours, bf16": (True, True, "bf16"),
}


def ways(place: Mapping[str, Any]) -> dict[str, tuple[bool, bool, str]]:
    """The ways that make sense here: bf16 only where the processor may have its arithmetic."""
    bf16 = not place["isa"].startswith("AVX2")
    return {name: way for name, way in WAYS.items() if bf16 or way[2] != "bf16"}


def model_keys(shape: tuple[int, int, int, int], rewrites: bool) -> dict[str, Any]:
    """The config of a model of the grid, width/heads/blocks."""
    dim, heads, blocks, _ = shape
    return {"dim": dim, "heads": heads, "blocks": blocks} | dict.fromkeys(REWRITES, rewrites)


def make_run(keys: dict[str, Any], batch: int, precision: str, device: str) -> Any:
    """A training run on a batch of random sequences."""
    import torch

    from proformer.planning.benchmark import random_run

    return random_run(keys, batch, precision, torch.device(device))


def make_step(keys: dict[str, Any], batch: int, precision: str, fast: bool, device: str) -> Callable[[], None]:
    """A training step on fixed random sequences, by the training loop itself."""
    from proformer.planning.benchmark import one_step
    from proformer.training import products

    run = make_run(keys, batch, precision, device)
    library = fast and device == "cpu" and products.onednn_is_faster()

    def step() -> None:
        products.use_onednn(library)
        one_step(run)

    return step


@cache
def peak(fast: bool, precision: str, device: str) -> float:
    """FLOP/s of large products of one precision, by the library that a way uses."""
    import torch

    from proformer.planning.benchmark import gemm_peak
    from proformer.training import products

    products.use_onednn(fast and device == "cpu" and products.onednn_is_faster())
    return gemm_peak(torch.device(device), precision)


def main(args: Any) -> None:
    """Measure, print, write."""
    place = pin(args.device, args.threads)
    gpu = place["device"] == "cuda"
    tables = []
    peaks = {way: peak(*key, place["device"]) for way, (_, *key) in ways(place).items()}
    for name in args.shapes:
        *shape, batch = SHAPES[name]
        batch = args.batch or (512 if gpu else batch)
        steps = {
            way: make_step(model_keys((*shape, batch), rewrites), batch, precision, fast, place["device"])
            for way, (rewrites, fast, precision) in ways(place).items()
        }
        table = summarise(interleave(steps, args.repeats, 10 if gpu else 1), "straight, float32")
        del steps
        table.insert(0, "shape", name)
        table.insert(1, "batch", batch)
        table["sequences_per_second"] = batch / table["seconds"]
        original = TRAINING * cost(model_keys((*shape, batch), False)).forward_flops
        table["original_gflops_per_second"] = table["sequences_per_second"] * original / 1e9
        table["percent_of_peak"] = 1e11 * table["original_gflops_per_second"] / table["way"].map(peaks)
        if not gpu:
            own = ("--device", "cpu", "--threads", args.threads, "--shapes", name, "--only")
            table["peak_mb"] = [peak_memory(__file__, *own, way) for way in table["way"]]
        tables.append(table)
    table = pd.concat(tables, ignore_index=True).assign(**place)
    publish(
        f"train_step_{kind(place)}_{place['threads']}", table, args.out,
        lambda t: bars(t.assign(panel=t["shape"] + ", batch " + t["batch"].astype(str)), "times_straight",
                       "speed, straight float32 path = 1", "panel", where(t)),
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
