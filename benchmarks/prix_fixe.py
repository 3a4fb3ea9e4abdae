"""Training of the DREAM models: ours beside the original framework's loader and trainer, in turns.

    git clone https://github.com/de-Boer-Lab/random-promoter-dream-challenge-2022 original
    pip install biopython                                       # which its attention blocks import
    python benchmarks/prix_fixe.py --original original

The same rows a step (both strands of half as many promoters), one process; ours in float32, and in bf16 where the
device has it. First, without dropout, all start from the same weights and see the same batches: the table says how far
their losses are apart over so many steps.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from harness import arguments, bars, interleave, kind, pin, publish, summarise, where

MODELS = {  # first, core block
    "DREAM-CNN": ("bhi", "autosome"),
    "DREAM-RNN": ("bhi", "bhi"),
    "DREAM-Attn": ("autosome", "unlock_dna"),
}
FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")
PLASMID = "data/plasmid.json"


def original(name: str, data: Path, rows: int, steps: int, args: Any, dropout: bool = True) -> Any:
    """The original framework's trainer of a model, on a file of promoters."""
    import torch
    from prixfixe.autosome import (
        AutosomeCoreBlock,
        AutosomeDataProcessor,
        AutosomeFinalLayersBlock,
        AutosomeFirstLayersBlock,
        AutosomeTrainer,
    )
    from prixfixe.bhi import BHICoreBlock, BHIFirstLayersBlock
    from prixfixe.prixfixe import PrixFixeNet

    generator = torch.Generator().manual_seed(1)
    first_name, core_name = MODELS[name]
    rate = {"dropout": 0.2 * dropout}
    if first_name == "bhi":
        first = BHIFirstLayersBlock(6, 320, 150, kernel_sizes=[9, 15], pool_size=1, **rate)
    else:
        first = AutosomeFirstLayersBlock(6, 256, 150)
    width = first.out_channels
    if core_name == "autosome":
        core = AutosomeCoreBlock(width, 64, 150)
    elif core_name == "bhi":
        dropouts = {"dropout1": 0.2 * dropout, "dropout2": 0.5 * dropout}
        core = BHICoreBlock(width, 320, 150, 320, kernel_sizes=[9, 15], pool_size=1, **dropouts)
    else:
        from prixfixe.unlockdna import UnlockDNACoreBlock

        core = UnlockDNACoreBlock(width, width, 150, n_blocks=4, kernel_size=15, rate=0.1 * dropout, num_heads=8)
    final = AutosomeFinalLayersBlock(in_channels=core.out_channels, seqsize=150)
    processor = AutosomeDataProcessor(
        150, data, None, args.original / PLASMID, generator, rows, batch_per_epoch=steps, train_workers=0
    )
    model = PrixFixeNet(first, core, final, generator)
    folder = Path(tempfile.mkdtemp()) / "model"
    return AutosomeTrainer(model, processor, folder, 1, learning_rate(name), torch.device(args.device))


def ours(
    name: str, store: Path, rows: int, steps: int, args: Any, dropout: bool = True, precision: str = "float32"
) -> Any:
    """Our training run of a model, on the same promoters."""
    import torch

    from proformer.datasets.batches import DeviceData
    from proformer.datasets.store import open_store
    from proformer.models import build
    from proformer.tasks import Task
    from proformer.training.config import read_job
    from proformer.training.loop import Run

    first, core = MODELS[name]
    off = {} if dropout else {"first": {"dropout": 0.0}, "core": {"dropout": 0.0}}
    if not dropout and core == "bhi":
        off["core"]["last_dropout"] = 0.0
    options = {role: keys for role, keys in off.items() if {"first": first, "core": core}[role] != "autosome"}
    config = {"model": "composed", "flanks": FLANKS, "first": first, "core": core, "options": options}
    recipe = "attention" if core == "unlock_dna" else "autosome"
    training = {
        "epochs": 1,
        "warmup_epochs": 0.3,
        "epoch_batches": steps,
        "batch_size": rows // 2,
        "precision": precision,
    }
    keys, settings = read_job({"model": config, "recipe": recipe, "training": training})
    device = torch.device(args.device)
    data = DeviceData(open_store(store), device, Task(mean=(0.0,), sd=(1.0,)))
    return Run(build(keys).to(device).train(), settings, data, data, "", None)  # type: ignore[arg-type]


def learning_rate(name: str) -> float:
    """The greatest of the one-cycle schedule."""
    return 0.001 if MODELS[name][1] == "unlock_dna" else 0.005


def losses_apart(name: str, data: Path, store: Path, rows: int, steps: int, args: Any) -> dict[str, float]:
    """Mean losses over the same steps, and the greatest difference of a step's to the original's, relative to it."""
    import torch

    from proformer.models.composed import load_original
    from proformer.training.device import has_bf16

    trainer = original(name, data, rows, steps, args, False)
    runs = {"": ours(name, store, rows, steps, args, False)}
    if has_bf16(torch.device(args.device)):
        runs["_bf16"] = ours(name, store, rows, steps, args, False, "bf16")
    for run in runs.values():
        load_original(run.model, trainer.model.state_dict())
    trainer.model.train()
    losses, first = [], runs[""]
    for step, batch in enumerate(first.train.batches(rows // 2)):
        if step == steps:
            break
        channels, labels = first.model.processor.examples(batch, first.train.task)
        theirs = {"x": channels.clone(), "y_probs": labels.probabilities(), "y": labels.target.flatten()}
        losses.append([trainer.train_step(theirs), *(float(run._update(batch)[0][0]) for run in runs.values())])
        for run in runs.values():
            run.progress.step += 1
    table = torch.tensor(losses)
    apart = ((table - table[:, :1]).abs() / table[:, :1]).amax(dim=0).tolist()
    means = table.mean(dim=0).tolist()
    found = {"loss_original": means[0]}
    for suffix, mean, difference in zip(runs, means[1:], apart[1:], strict=True):
        found |= {f"loss_ours{suffix}": mean, f"apart{suffix}": difference}
    return found


def steps_of(name: str, data: Path, store: Path, rows: int, args: Any) -> dict[str, Callable[[], None]]:
    """A training step of each, batch and all; ours in bf16, too, where the device has its arithmetic."""
    import torch

    from proformer.training.device import has_bf16

    trainer = original(name, data, rows, 1000, args)
    trainer.model.train()
    theirs = iter(trainer.train_dataloader)
    ways = {"original": lambda: trainer.train_step(next(theirs))}
    for precision in ("float32", "bf16") if has_bf16(torch.device(args.device)) else ("float32",):
        ways[f"ours, {precision}"] = our_step(ours(name, store, rows, 1000, args, precision=precision), rows)
    return ways


def our_step(run: Any, rows: int) -> Callable[[], None]:
    """A step of a run, on the next batch of an epoch in random order."""

    def epochs() -> Any:
        while True:
            yield from run.train.batches(rows // 2, run.train.order(1, 1))

    batches = epochs()

    def step() -> None:
        run._update(next(batches))
        run.progress.step += 1

    return step


def promoters(folder: Path, number: int) -> tuple[Path, Path]:
    """Random promoters with values: a file as the challenge has it, and our store of it."""
    from proformer.cli import main as proformer

    draw = random.Random(1)
    rows = ["".join(draw.choices("ACGT", k=80)) + f"\t{draw.uniform(1, 16):.3f}" for _ in range(number)]
    data, store = folder / "promoters.txt", folder / "promoters.safetensors"
    data.write_text("".join(f"{FLANKS[0]}{row[:80]}{FLANKS[1]}{row[80:]}\n" for row in rows))
    options = ["--sequences", str(data), "--out", str(store), "--length", "80", "--flanks", *FLANKS]
    if proformer(["prepare", *options]):
        raise SystemExit("prepare failed")
    return data, store


def main(args: Any) -> None:
    """Measure, print, write."""
    if not (args.original / PLASMID).is_file():
        sys.exit(f"{args.original}: found no {PLASMID}, expected a clone of the original framework")
    json.loads((args.original / PLASMID).read_text())
    sys.path.insert(0, str(args.original))
    place = pin(args.device, args.threads)
    args.device = place["device"]
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        data, store = promoters(Path(folder), max(args.rows * args.repeats, 50 * args.rows))
        for name in args.models:
            apart = losses_apart(name, data, store, args.rows, args.steps, args)
            table = summarise(interleave(steps_of(name, data, store, args.rows, args), args.repeats, 2), "original")
            table.insert(0, "model", name)
            table["sequences_per_second"] = args.rows / 2 / table["seconds"]
            tables.append(table.assign(rows=args.rows, steps=args.steps, **apart))
    whole = pd.concat(tables, ignore_index=True).assign(**place)
    publish(
        f"prix_fixe_{kind(place)}_{place['threads']}", whole, args.out,
        lambda t: bars(t, "times_straight", "speed, original framework = 1", "model", where(t)),
    )  # fmt: skip


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=15)
    parser.add_argument("--original", type=Path, required=True, help="clone of the original framework")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), help="which (default: all)")
    parser.add_argument("--rows", type=int, default=64, help="of a step: both strands of half as many promoters")
    parser.add_argument("--steps", type=int, default=50, help="steps over which losses are compared")
    main(parser.parse_args())
