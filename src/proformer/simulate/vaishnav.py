"""Writing simulated evaluation sets in the file formats of Vaishnav et al. (2022).

`All_promoter_fragments_Native.csv`: native-like promoters (index, seq110, Measured Expression).
`Random_complex.csv`: random promoters of all lengths; their last 110 nt, N on the left of shorter ones.
`Drift_testdata.csv`: mutants of random promoters with 1, 2 and 3 changes, and the expression of what was mutated.

Expression is the model's, in bins, with the error of a well-measured promoter.
"""

from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from proformer.errors import InputError
from proformer.files import atomic
from proformer.sequences import ALPHABET
from proformer.simulate.designs import expression, yeast_designs
from proformer.simulate.promoters import random_inserts, simulate_promoters, stream, with_flanks

NATIVE, RANDOM, DRIFT = "All_promoter_fragments_Native.csv", "Random_complex.csv", "Drift_testdata.csv"
LENGTH = 110  # nt that were kept
ERROR = 0.35  # bins, standard deviation
EXPERIMENT = "NBT_S288CdU_YPD"


def write_vaishnav(folder: str | Path, native: int, random: int, drift: int, seed: int) -> None:
    """Write the three files into `folder`: `native` and `random` promoters, `drift` mutants; same seed, same bytes.

    Random promoters have a stream of their own: none is a training promoter of the same seed.
    Raises InputError for numbers out of range.
    """
    if min(native, random, drift) < 3 or seed < 0:
        raise InputError(
            f"found {native} native, {random} random and {drift} drift rows with seed {seed}, "
            "expected at least 3 rows of each and a seed from 0 on"
        )
    tables = {NATIVE: _native(native, seed), RANDOM: _random(random, seed), DRIFT: _drift(drift, seed)}
    for name, table in tables.items():
        with atomic(Path(folder) / name) as temporary:
            table.to_csv(temporary, lineterminator="\n")


def _native(n: int, seed: int) -> pd.DataFrame:
    rng = stream(seed, 301)
    codes = np.stack([codes for _, codes in islice(yeast_designs(rng), n)])
    measured = _measured(rng, expression(codes))
    return pd.DataFrame({"seq110": with_flanks(codes), "Measured Expression": measured}).rename_axis("index")


def _random(n: int, seed: int) -> pd.DataFrame:
    promoters = simulate_promoters(n, (1 << 32) + seed)
    measured = _measured(stream(seed, 302), promoters.expression)
    kept = [sequence[-LENGTH:].rjust(LENGTH, "N") for sequence in promoters.sequences()]
    table = pd.DataFrame({"sequence": promoters.sequences(), "seq110": kept, "Measured Expression": measured})
    return table.set_index("sequence")


def _drift(n: int, seed: int) -> pd.DataFrame:
    rng = stream(seed, 303)
    bases = random_inserts(rng, -(-n // 3)).T
    parents = np.repeat(np.arange(len(bases)), 3)[:n]
    changes = np.tile([1, 2, 3], len(bases))[:n]
    mutants, names = bases[parents].copy(), []
    for mutant, count in zip(mutants, changes, strict=True):
        places = rng.choice(len(mutant), count, replace=False)
        mutant[places] = (mutant[places] + rng.integers(1, 4, count)) % 4
        names.append(".".join(f"{place}{ALPHABET[mutant[place]]}" for place in places))
    return pd.DataFrame(
        {
            "expt": EXPERIMENT,
            "baseSeq": [f"rand{parent}" for parent in parents],
            "meanEL.base": _measured(rng, expression(bases))[parents],
            "seq110": with_flanks(mutants),
            "meanEL.mut": _measured(rng, expression(mutants)),
            "origID": [f"rand{parent}_{name}" for parent, name in zip(parents, names, strict=True)],
            "mutDesc": names,
            "ED": changes,
        }
    )


def _measured(rng: np.random.Generator, level: np.ndarray) -> np.ndarray:
    return (level + ERROR * rng.standard_normal(len(level))).round(6)
