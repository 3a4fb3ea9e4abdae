"""How fast is in-silico mutagenesis? Ours, beside tangermeme's, of the same model and sequences; and its memory.

    python benchmarks/explain.py --threads 1                # after `make explain`, which brings tangermeme
    python benchmarks/explain.py --memory                   # peak memory of 10, 100 and 1,000 sequences, each alone

tangermeme is given the same model behind a layer that turns its one-hot letters into codes, and the batch size that is
ours. Where tangermeme is not installed, ours is timed alone.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from harness import arguments, bars, interleave, kind, own_peak, peak_memory, pin, publish, summarise, where

from proformer.datasets.store import open_store
from proformer.explain.attribution import Attributor, attribute_file
from proformer.figures.style import BLUE, SINGLE, new, styled
from proformer.models import build
from proformer.predict import Predictor
from proformer.sequences import decode
from proformer.tasks import Task

LENGTH = 100
MODELS = {
    "LegNet": {"model": "legnet", "widths": [32, 16, 16]},
    "Proformer": {"model": "proformer", "dim": 64, "heads": 2, "blocks": 2},
    "DREAM-RNN": {"model": "composed", "processor": "autosome", "first": "bhi", "core": "bhi", "final": "autosome",
                  "options": {"first": {"width": 32}, "core": {"lstm": 16}}},
}  # fmt: skip


class OneHot(torch.nn.Module):
    """A model of codes as one of one-hot letters [B, 4, L]: [B, 1]."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, letters: torch.Tensor) -> torch.Tensor:
        """Predictions of letters."""
        return self.model(letters.argmax(dim=1).to(torch.uint8))[:, :, 0]


def predictor_of(name: str, device: str) -> Predictor:
    """An untrained model that is ready to predict."""
    torch.manual_seed(1)
    model = build({**MODELS[name], "length": LENGTH}).to(device).eval()
    return Predictor(model, {"layout": {"length": LENGTH, "flanks": ["", ""]}}, Task(mean=(0.0,), sd=(1.0,)))


def sequences(number: int) -> np.ndarray:
    """Random codes uint8 [N, L]."""
    return np.random.default_rng(1).integers(0, 4, (number, LENGTH)).astype(np.uint8)


def ways(name: str, codes: np.ndarray, device: str) -> dict[str, Any]:
    """What is compared, by name."""
    predictor = predictor_of(name, device)
    attributor = Attributor(predictor)
    found = {"ours": lambda: attributor.scores(codes, "ism")}
    try:
        from tangermeme.saturation_mutagenesis import saturation_mutagenesis
    except ImportError:
        return found
    letters = torch.from_numpy(np.eye(4, dtype=np.float32)[codes]).transpose(1, 2).contiguous()
    model, size = OneHot(predictor_of(name, device).module), attributor.size

    def tangermeme() -> torch.Tensor:
        return saturation_mutagenesis(model, letters, batch_size=size, device=device, hypothetical=True)

    return {"tangermeme": tangermeme, **found}


def memory(number: int, device: str) -> float:
    """Peak memory of `proformer explain` of so many sequences, in MB."""
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "sequences.txt", Path(folder) / "scores.safetensors"
        file.write_text("".join(f"{decode(row)}\n" for row in sequences(number)))
        attribute_file(predictor_of("LegNet", device), file, out, "ism", (), trimmed=True)
        assert len(open_store(out).codes) == number
    return own_peak()


@styled
def line(table: pd.DataFrame, note: str) -> Any:
    """Draw peak memory by the number of sequences."""
    figure = new(SINGLE, 60, note=note)
    axes = figure.subplots()
    axes.plot(table["sequences"], table["peak_mb"], "o-", color=BLUE)
    axes.set(xscale="log", xlabel="sequences", ylabel="peak memory (MB)", ylim=(0, 1.2 * table["peak_mb"].max()))
    return figure


def main(args: Any) -> None:
    """Measure, print, write."""
    place = pin(args.device, args.threads)
    if args.memory:
        sizes = (10, 100, 1000)
        peaks = [peak_memory(__file__, "--device", place["device"], "--only", number) for number in sizes]
        table = pd.DataFrame({"sequences": sizes, "peak_mb": peaks}).assign(**place)
        publish(f"explain_memory_{kind(place)}", table, args.out, lambda t: line(t, where(t)))
        return
    tables = []
    for name in MODELS:
        timed = ways(name, sequences(args.sequences), place["device"])
        table = summarise(interleave(timed, args.repeats), next(iter(timed))).assign(model=name)
        tables.append(table.assign(sequences=args.sequences, per_second=args.sequences / table["seconds"]))
    table = pd.concat(tables, ignore_index=True).assign(**place)
    publish(
        f"explain_{kind(place)}_{place['threads']}", table, args.out,
        lambda t: bars(t, "times_straight", "speed of mutagenesis, tangermeme's = 1", "model", where(t)),
    )  # fmt: skip


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=3)
    parser.add_argument("--sequences", type=int, default=1000, help="of 100 nt (default: %(default)s)")
    parser.add_argument("--memory", action="store_true", help="peak memory by the number of sequences instead")
    parser.add_argument("--only", type=int, help="explain so many sequences and print the peak memory in MB")
    args = parser.parse_args()
    if args.only:
        pin(args.device, args.threads)
        print(memory(args.only, "cpu"))
    else:
        main(args)
