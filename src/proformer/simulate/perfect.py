"""What a perfect model predicts of simulated data: the truth before any measurement.

Its r with the measured values is the ceiling: no model can be expected to come closer to them.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from proformer.files import existing
from proformer.sequences import N, encode
from proformer.simulate.atac import ORIGINS, simulate_fragments, simulate_genome
from proformer.simulate.model import evaluate
from proformer.simulate.promoters import LEFT_FLANK, RIGHT_FLANK

DEPTH = 20  # times the read pairs of an experiment
DEEP_LIBRARY = 1000  # its number: no library that is written has it


def perfect_codes(codes: np.ndarray) -> np.ndarray:
    """Noise-free expression of the inserts of a store, uint8 [n, L], each in the middle of N: float64 [n], in bins.

    Where an insert ends with unknown bases, the N before it tell how long the padding is, up to one nucleotide.
    """
    known = codes < N
    before, after = known.argmax(axis=1), known[:, ::-1].argmax(axis=1)
    padding = np.clip(after, before - 1, before + 1)
    values = np.empty(len(codes))
    for width in np.unique(padding):
        rows = padding == width
        values[rows] = evaluate(np.ascontiguousarray(codes[rows, : codes.shape[1] - width].T)).expression
    return values


def perfect_sequences(sequences: Sequence[str]) -> np.ndarray:
    """Noise-free expression of promoters as text, between whole flanks: float64 [n], in bins."""
    inserts = [encode(text.removeprefix(LEFT_FLANK).removesuffix(RIGHT_FLANK)) for text in sequences]
    codes = np.full((max(map(len, inserts)), len(inserts)), N, dtype=np.uint8)
    for column, insert in enumerate(inserts):
        codes[len(codes) - len(insert) :, column] = insert
    return evaluate(codes).expression


def perfect_windows(folder: Path, columns: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> np.ndarray:
    """Expected target of each window of a store (its `columns` and `meta`): float64 [n], in fragments, transformed.

    The same genome is sequenced `DEPTH` times as deeply, without the PCR copies, the errors and the losses of real
    reads; the signal is that of piled-up fragments per million. `folder`: where `proformer simulate-atac` wrote.
    Raises InputError when the folder holds no simulated experiment.
    """
    path = existing(folder / "simulator.json", hint="`proformer simulate-atac` writes it")
    made, plan = json.loads(path.read_text(encoding="utf-8")), meta["windows"]
    genome = simulate_genome(made["size"], made["seed"])
    deep = simulate_fragments(genome, DEPTH * made["pairs"] * made["libraries"], made["seed"], DEEP_LIBRARY)
    deep = deep[deep["origin"].isin([ORIGINS.index(name) for name in ("region", "background", "artefact")])]
    ends = np.zeros(len(genome.codes) + 1)
    np.add.at(ends, deep["start"].to_numpy(), 1)
    np.add.at(ends, (deep["start"] + deep["length"]).to_numpy(), -1)
    covered = np.concatenate([[0.0], np.cumsum(np.cumsum(ends)[:-1])]) * 1e6 / len(deep)
    offset = genome.contigs.set_index("contig")["offset"].reindex(meta["contigs"]).to_numpy()
    first = (offset[columns["contig"]] + columns["start"] + (plan["length"] - plan["centre"]) // 2).astype(int)
    signal = (covered[first + plan["centre"]] - covered[first]) / plan["centre"]
    return np.log1p(signal) if plan["transform"] == "log1p" else signal
