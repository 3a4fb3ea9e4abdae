"""What a perfect model predicts of the windows of a simulated ATAC-seq experiment: its signal without chance.

The same genome, sequenced `DEPTH` times as deeply, without the PCR copies, the errors and the losses of real reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from proformer.files import existing
from proformer.simulate.atac import ORIGINS, simulate_fragments, simulate_genome

DEPTH = 20
DEEP = 1000  # the number of the deep library: no library that is written has it


def perfect_windows(folder: Path, columns: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> np.ndarray:
    """Expected target of each window of a store (its `columns` and `meta`): float64 [n], in fragments, transformed.

    `folder`: where `proformer simulate-atac` wrote. The signal is that of piled-up fragments per million.
    Raises InputError when the folder holds no simulated experiment.
    """
    path = existing(folder / "simulator.json", hint="`proformer simulate-atac` writes it")
    made, plan = json.loads(path.read_text(encoding="utf-8")), meta["windows"]
    genome = simulate_genome(made["size"], made["seed"])
    deep = simulate_fragments(genome, DEPTH * made["pairs"] * made["libraries"], made["seed"], DEEP)
    deep = deep[deep["origin"].isin([ORIGINS.index(name) for name in ("region", "background", "artefact")])]
    ends = np.zeros(len(genome.codes) + 1)
    np.add.at(ends, deep["start"].to_numpy(), 1)
    np.add.at(ends, (deep["start"] + deep["length"]).to_numpy(), -1)
    covered = np.concatenate([[0.0], np.cumsum(np.cumsum(ends)[:-1])]) * 1e6 / len(deep)
    offset = genome.contigs.set_index("contig")["offset"].reindex(meta["contigs"]).to_numpy()
    first = offset[columns["contig"]] + columns["start"] + (plan["length"] - plan["centre"]) // 2
    signal = (covered[first.astype(int) + plan["centre"]] - covered[first.astype(int)]) / plan["centre"]
    return np.log1p(signal) if plan["transform"] == "log1p" else signal
