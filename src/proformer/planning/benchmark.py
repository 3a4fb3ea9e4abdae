"""How fast this machine trains: short trainings of the grid's shapes, beside what its processor and memory can do."""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import pandas as pd
import torch

from proformer.datasets.batches import DeviceData
from proformer.models import build
from proformer.planning.cost import cost
from proformer.tasks import Task
from proformer.training.config import Training
from proformer.training.device import NO_BF16, choose_device, hardware, has_bf16, set_up
from proformer.training.loop import Run


class RandomData(DeviceData):
    """Random sequences in place of a store: codes uint8 [N, L] and target float32 [N, 1, 1]."""

    def __init__(self, rows: int, length: int, device: torch.device) -> None:
        self.codes = torch.randint(0, 4, (rows, length), dtype=torch.uint8).to(device)
        self.target = torch.randn(rows, 1, 1).to(device)
        self.task, self.device, self.shift, self.reverse = Task(scale="none"), device, 0, 0.0
        self.step = self.joined = 1
        self.file = SimpleNamespace(read_ahead=lambda rows: None)  # type: ignore[assignment]


def random_run(keys: dict[str, Any], batch: int, precision: str, device: torch.device) -> Run:
    """A training run on one batch of random sequences."""
    torch.manual_seed(1)
    data = RandomData(batch, keys.get("length", 100), device)
    settings = Training(batch_size=batch, precision=precision)  # type: ignore[arg-type]
    model = build(keys).to(device).train()
    return Run(model=model, settings=settings, train=data, validation=data, digest="", checkpoint=None)  # type: ignore[arg-type]


def one_step(run: Run) -> None:
    """One training step, from codes of one strand to updated weights."""
    run._update(run.train.batch(slice(None)))
    run.progress.step += 1


def seconds_of(work: Callable[[], object], device: torch.device, least: float = 0.5, repeats: int = 3) -> float:
    """Seconds of a piece of work, at its best: at least `repeats` times, and `least` seconds in all, after one more.

    The best, since a limit is asked for, and other work on the machine only adds.
    """
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    times: list[float] = []
    work()
    while len(times) < repeats or sum(times) < least:
        wait()
        started = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - started)
    return min(times)


def gemm_peak(device: torch.device, precision: str) -> float:
    """FLOP/s of a large matrix product of random numbers."""
    n = 8192 if device.type == "cuda" else 1024
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    return 2 * n**3 / seconds_of(lambda: a @ b, device)


def bandwidth(device: torch.device) -> float:
    """Bytes/s of a copy that no cache holds, read and written bytes added."""
    source = torch.zeros(1 << (30 if device.type == "cuda" else 27), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / seconds_of(lambda: target.copy_(source), device)


def measure(device: str, threads: int | None, shapes: Sequence[tuple[int, int, int]], precision: str) -> pd.DataFrame:
    """Rates of training on this machine, a row per shape (width, heads, blocks).

    `training_flops` (per sequence), `sequences_per_second`, `gemm_flops_per_second` and `bytes_per_second` (what the
    device reaches on plain products and copies, measured in the same minute). Where a training in bf16 runs in float32,
    so does this.
    """
    where = choose_device(device)
    set_up(where, threads, None)
    if precision == "bf16" and not has_bf16(where):
        print(NO_BF16, file=sys.stderr, flush=True)
        precision = "float32"
    rows = []
    copy, peak = bandwidth(where), 0.0
    for dim, heads, blocks in shapes:
        size = 512 if where.type == "cuda" else 128 if dim <= 128 else 8
        keys = {"dim": dim, "heads": heads, "blocks": blocks}
        run, work = random_run(keys, size, precision, where), cost(keys).training_flops
        rate = size / seconds_of(partial(one_step, run), where)
        peak = max(peak, gemm_peak(where, precision))
        print(
            f"{dim}/{heads}/{blocks} {precision}: {rate:,.1f} sequences/s, "
            f"{work * rate / 1e9:,.1f} GFLOP/s of {peak / 1e9:,.1f}", file=sys.stderr, flush=True,
        )  # fmt: skip
        rows.append(keys | {
            "batch_size": size, "precision": precision, "training_flops": work, "sequences_per_second": rate,
        })  # fmt: skip
    place = {"device": where.type, "machine": hardware(where), "threads": torch.get_num_threads()}
    table = pd.DataFrame(rows).assign(gemm_flops_per_second=peak, bytes_per_second=copy)
    return table.assign(**place, torch=torch.__version__)
