"""Does training come out the same without the rewrites, and in bf16? A finished run's points, trained again.

    make sample
    python benchmarks/rewrites.py --results results/sample --widest 16 --deepest 2 --processes 2

Each Proformer of a grid is trained again on the run's own stores by the straight float32 path, and in bf16, and the
best validation r is compared with that in the run's tables. The straight path rounds differently from the first step
on, and training amplifies it. Yardsticks: first weights that differ in their last digit, and another seed.
"""

from __future__ import annotations

import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
from harness import arguments, pin, publish
from train_step import REWRITES

# name: rewrites and matrix library, precision, added to the seed, factor of the first weights
WAYS = {
    "straight, float32": (False, "float32", 0, 1.0),
    "ours, float32, weights off by a rounding": (True, "float32", 0, 1 + 2**-22),
    "ours, bf16": (True, "bf16", 0, 1.0),
    "ours, float32, another seed": (True, "float32", 1, 1.0),
}


def best_r(metrics: Path) -> float:
    """The best validation r of a training."""
    return float(pd.read_csv(metrics, sep="\t")["validation_r"].max())


def train_again(job: dict[str, Any], way: str, results: Path, device: str, threads: int) -> float:
    """Train a job of the run in another way: its best validation r."""
    import torch

    from proformer.training import products, run

    rewrites, precision, seed, factor = WAYS[way]
    build = run.build

    def build_nudged(config: dict[str, Any]) -> torch.nn.Module:
        model = build(config)
        torch._foreach_mul_([p.data for p in model.parameters()], factor)
        return model

    run.build = build_nudged
    if not rewrites:
        products.onednn_is_faster = lambda model=None: False  # type: ignore[assignment]
    model = job["config"]["model"] | dict.fromkeys(REWRITES, rewrites)
    training = job["config"]["training"]
    config = {"model": model, "training": training | {"precision": precision, "seed": training["seed"] + seed}}
    data = results / "data" / job["dataset"] / f"seed~{job['seed']}"
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        stores = data / "train.safetensors", data / "validation.safetensors"
        run.train(config, *stores, out, out / "checkpoint.pt", device=device, threads=threads)
        return best_r(out / "metrics.tsv")


def main(args: Any) -> None:
    """Train, compare, write."""
    place = pin(args.device, args.threads)
    jobs = []
    for job in json.loads((args.results / "jobs.json").read_text(encoding="utf-8")):
        model = job["config"]["model"]
        if job["run"] == "grid" and job["dataset"] == args.dataset:
            jobs += [job] if model["dim"] <= args.widest and model["blocks"] <= args.deepest else []
    with ProcessPoolExecutor(args.processes, max_tasks_per_child=1) as pool:
        running = {
            (job["path"], way): pool.submit(train_again, job, way, args.results, place["device"], args.threads)
            for job in jobs
            for way in WAYS
        }
        rows = []
        for job in jobs:
            point = "_".join(f"{axis}~{level}" for axis, level in job["axes"].items())
            own = best_r(args.results / "models" / job["path"] / "metrics.tsv")
            for way in WAYS:
                r = running[job["path"], way].result()
                rows.append({"point": point, "seed": job["seed"], "way": way, "r_of_the_run": own, "r": r})
                print(f"{point}, {way}: r {r:.4f}, in the run {own:.4f}", flush=True)
    table = pd.DataFrame(rows)
    table["difference"] = table["r"] - table["r_of_the_run"]
    table = table.assign(**place)
    publish(f"rewrites_{place['device']}", table, args.out, draw)
    size = table.assign(size=table["difference"].abs()).groupby("way")
    print(
        size.agg(median=("size", "median"), largest=("size", "max"), mean=("difference", "mean")).round(4).to_string()
    )


def draw(table: pd.DataFrame) -> Any:
    """Differences of every point, a row per way."""
    from proformer.figures.style import BLUE, DOUBLE, GREY, new, styled

    @styled
    def drawn() -> Any:
        figure = new(DOUBLE, 45, note=f"{table['machine'][0]}; {table['point'].nunique()} points")
        axes = figure.subplots()
        for place, way in enumerate(WAYS):
            values = table.loc[table["way"] == way, "difference"]
            axes.plot(values, [place] * len(values), "o", ms=3, color=BLUE, alpha=0.6)
        axes.axvline(0, color=GREY, lw=0.6, ls=":")
        axes.set(xlabel="validation r, less that of the run", yticks=range(len(WAYS)), yticklabels=list(WAYS))
        axes.set_ylim(len(WAYS) - 0.5, -0.5)
        return figure

    return drawn()


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="the results folder of a finished run")
    parser.add_argument("--dataset", default="dream")
    parser.add_argument("--widest", type=int, default=512, help="leave wider points out")
    parser.add_argument("--deepest", type=int, default=8, help="leave deeper points out")
    parser.add_argument("--processes", type=int, default=1, help="trainings at the same time (default: %(default)s)")
    main(parser.parse_args())
