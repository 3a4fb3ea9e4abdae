"""Writing simulated promoters in the file formats of the DREAM challenge.

`train_sequences.txt`, `filtered_test_data_with_MAUDE_expression.txt`: sequence, tab, value; no header.
`test_sequences.txt`: the test sequences with 0 in place of the value.
`test_subset_ids/*.csv`, `public_leaderboard_ids/*.json`: columns, keys and order as published, `exp` columns empty.
Ours alone: `second_measurement.json` (the test set measured once more, as a submission), `ground_truth.tsv` (what the
model knows of each row) and `simulator.json` (all parameters), written last.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from proformer import __version__
from proformer.errors import InputError
from proformer.files import atomic, write_text, writing
from proformer.simulate.designs import PAIRS, SHARES, SINGLES, TestSet, build
from proformer.simulate.model import PARAMETERS, State, evaluate
from proformer.simulate.promoters import BINS, LIBRARY, promoter_blocks, stream, with_flanks

TRAIN, TEST = "train_sequences.txt", "test_sequences.txt"
MEASURED = "filtered_test_data_with_MAUDE_expression.txt"
FEWEST_TESTS = 100
MANY = 200_000  # rows from which progress is worth a line
# Published tables that were saved twice carry their old index as a second column.
ENDS = {1: ("",), 2: ("alt_", "ref_")}  # prefixes of the columns of single rows, and of pairs
SAVED_TWICE = ("random", "motif_perturbation")
TABLES = {name: f"{name}_seqs" for name in (*SINGLES, *PAIRS)} | {"random": "all_random_seqs", "SNVs": "all_SNVs_seqs"}
JSON_NAMES = {name: f"{name.removesuffix('_exp')}_exp_indices" for name in (*SINGLES, *PAIRS)}


@dataclass(frozen=True)
class Maude:
    """The test values: (E - centre) / scale, a sampling error (of about `cells` cells) and a technical one."""

    centre: float = 10.75  # bins
    scale: float = 3.3  # bins
    cells: int = 100
    technical: float = 0.05  # standard deviation, of the value
    public: float = 0.105  # share of each subset that is on the public leaderboard: about 13 % of all rows


MAUDE = Maude()


def _lines(sequences: list[str], values: np.ndarray) -> bytes:
    """Rows of a data file; numbers with 15 significant digits, as in the published files: 12, 15.1823836007871."""
    return "".join([f"{text}\t{value:.15g}\n" for text, value in zip(sequences, values.tolist(), strict=True)]).encode()


def _truth_lines(first: int, file: str, state: State, cells: np.ndarray) -> bytes:
    """Rows `first`, `first + 1`, … of the table of what the model knows of a data file; occupancy is [factors, n]."""
    n = len(cells)
    form = "%d\t%s\t%.6f\t%.4f\t%d" + "\t%.4f" * len(PARAMETERS.factors) + "\n"
    columns = (state.expression.tolist(), state.opening.tolist(), cells.tolist(), *state.occupancy.tolist())
    return "".join([form % row for row in zip(range(first, first + n), [file] * n, *columns, strict=True)]).encode()


def _progress(blocks: Iterable, total: int) -> Iterator:
    """Pass blocks on; report a large number of rows as a bar on a terminal, as a line per tenth elsewhere."""
    terminal, done = sys.stderr.isatty(), 0
    with tqdm(total=total, unit=" promoters", unit_scale=True, disable=total < MANY or not terminal) as bar:
        for block in blocks:
            yield block
            before, done = done, done + len(block.cells)
            bar.update(done - before)
            if total >= MANY and not terminal and done * 10 // total > before * 10 // total:
                print(f"simulate: {done:,} of {total:,} promoters", file=sys.stderr, flush=True)


def _measure(state: State, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Cells and MAUDE-like value of each test row; the value is what its 15 digits say."""
    cells = np.maximum(rng.poisson(MAUDE.cells, len(state.expression)), 1)
    variance = (LIBRARY.cell_spread / MAUDE.scale) ** 2 / cells + MAUDE.technical**2
    values = (state.expression - MAUDE.centre) / MAUDE.scale + np.sqrt(variance) * rng.standard_normal(len(cells))
    return cells, np.array([float(f"{value:.15g}") for value in values])


def subset_table(tests: TestSet, name: str, sequences: list[str]) -> pd.DataFrame:
    """One table of `test_subset_ids`, as published: row numbers and sequences, no values."""
    tags, rows = (np.array(column, dtype=object).T for column in zip(*tests.subsets[name], strict=True))
    kinds = {"tag": tags, "sequence": np.array(sequences, dtype=object)[rows.astype(int)], "pos": rows}
    columns: dict[str, Any] = {}
    for kind, values in kinds.items():
        columns |= {f"{end}{kind}": each for end, each in zip(ENDS[len(rows)], values, strict=True)}
    table = pd.DataFrame(columns | {f"{end}exp": np.nan for end in ENDS[len(rows)]})
    if name in SAVED_TWICE:
        table.insert(0, "Unnamed: 0", np.arange(len(table)))
    return table


def public_rows(tests: TestSet, values: np.ndarray, rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """The public leaderboard: contents of each JSON file, `ground` with all its rows among them."""
    files: dict[str, dict[str, Any]] = {}
    ground: dict[str, float] = {}
    for name, table in tests.subsets.items():
        entries = list(dict.fromkeys(rows for _, rows in table))
        shown = rng.choice(len(entries), min(len(entries), max(3, round(MAUDE.public * len(entries)))), replace=False)
        measured = {entries[i]: [float(values[row]) for row in entries[i]] for i in shown}
        files[JSON_NAMES[name]] = {
            ",".join(map(str, rows)): found if len(rows) > 1 else found[0] for rows, found in measured.items()
        }
        ground |= {str(row): value for rows, found in measured.items() for row, value in zip(rows, found, strict=True)}
    return files | {"ground": ground}


def write_dream(folder: str | Path, train: int, test: int, seed: int, gzip: bool = False) -> None:
    """Write a simulated data set of the DREAM challenge into `folder` (made when missing); same seed, same bytes.

    `train` rows of training data (any number: memory stays flat), `test` (at least 100) distinct test sequences of
    110 nt in eight subsets. `gzip` packs the sequence files and the ground truth and adds `.gz` to their names.

    Raises InputError for numbers out of range.
    """
    if test < FEWEST_TESTS:
        raise InputError(f"test sequences: found {test}, expected at least {FEWEST_TESTS} (eight subsets)")
    if train < 1 or seed < 0:
        raise InputError(f"found {train} training rows and seed {seed}, expected at least 1 row and a seed from 0 on")
    folder = Path(folder)
    (folder / "simulator.json").unlink(missing_ok=True)
    suffix = ".gz" if gzip else ""

    tests = build(test, stream(seed, 1))
    codes = tests.codes()
    sequences = with_flanks(codes)
    state = evaluate(np.ascontiguousarray(codes.T))
    cells, values = _measure(state, stream(seed, 2))
    for name, column in ((TEST, np.zeros(test)), (MEASURED, values)):
        with writing(folder / f"{name}{suffix}", gzip) as out:
            out.write(_lines(sequences, column))
    for name in (*SINGLES, *PAIRS):
        with atomic(folder / "test_subset_ids" / f"{TABLES[name]}.csv") as temporary:
            subset_table(tests, name, sequences).to_csv(temporary, lineterminator="\n")
    for file, content in public_rows(tests, values, stream(seed, 3)).items():
        write_text(folder / "public_leaderboard_ids" / f"{file}.json", json.dumps(content))
    again = _measure(state, stream(seed, 4))[1]
    write_text(folder / "second_measurement.json", json.dumps(dict(enumerate(again.tolist()))))

    heading = ["row", "file", "expression", "opening", "cells", *(f"occupancy_{f.name}" for f in PARAMETERS.factors)]
    training, known_of = (folder / f"{name}{suffix}" for name in (TRAIN, "ground_truth.tsv"))
    with writing(training, gzip) as out, writing(known_of, gzip) as truth:
        truth.write(("\t".join(heading) + "\n").encode())
        done = 0
        for block in _progress(promoter_blocks(train, seed), train):
            out.write(_lines(block.sequences(), block.measured))
            known = State(block.expression, block.occupancy.T, block.opening)
            truth.write(_truth_lines(done, TRAIN, known, block.cells))
            done += len(block.cells)
        truth.write(_truth_lines(0, MEASURED, state, cells))

    settings = {"simulator": "proformer simulate", "version": __version__, "seed": seed, "train": train, "test": test}
    settings |= {"bins": BINS, "model": asdict(PARAMETERS), "library": asdict(LIBRARY)}
    settings |= {"maude": asdict(MAUDE), "test_shares": SHARES}
    write_text(folder / "simulator.json", json.dumps(settings, indent=2) + "\n")
