"""The score of the DREAM challenge 2022 (Rafi et al., Methods): eight subsets of the test set and all of its rows.

Pearson Score = Σ w·r² / Σ w and Spearman Score = Σ w·ρ / Σ w. Subsets of pairs correlate the differences between
their two sequences. As in the challenge's own scorer, the private part leaves out the public leaderboard: of single
subsets and of `all` every row that stands anywhere in it, of pair subsets the public pairs. The public part is what
the leaderboard's own files list. Without the table of SNVs their pairs are rebuilt, under a name that says approximate
and outside of all scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from proformer.errors import InputError
from proformer.evaluation.dream_files import ALL, LEADERBOARD, PAIRS, SINGLES, TABLES, SubsetFile, read_files
from proformer.evaluation.evaluate import read_measurements
from proformer.evaluation.metrics import score
from proformer.evaluation.snv_pairs import rebuilt_pairs
from proformer.simulate.perfect import perfect_sequences

WEIGHTS = {ALL: 1.0, "high": 0.3, "low": 0.3, "yeast": 0.3, "random": 0.3, "challenging": 0.5}
WEIGHTS |= {"SNVs": 1.25, "motif_perturbation": 0.3, "motif_tiling": 0.4}
APPROXIMATE = "SNVs (approximate)"
SHOWN = (*WEIGHTS, APPROXIMATE)  # in tables and figures, in this order
PARTS = ("private", "public", "all")
SCORE, PARTIAL = "score", "score of the subsets at hand"
MEASURES = ("pearson", "r2", "spearman")
SCORES = {"pearson_score": "r2", "spearman_score": "spearman"}  # and what they average
TITLES = {"pearson_score": "Pearson Score", "spearman_score": "Spearman Score"}
TITLES |= {"pearson": "Pearson r", "r2": "r²", "spearman": "Spearman ρ"}


@dataclass(frozen=True)
class Benchmark:
    """What predictions are held against.

    `truth`: float64 [N], by row of the test set, NaN where it is not known; `subsets`: by name the rows, int64 [n], or
    the pairs (alternative, reference), int64 [n, 2]; `missing`: by name why a subset is not there; `sequences`: by row,
    those that are known; `complete`: every row of the test set is known; `public`: rows of the leaderboard, int64 [n];
    `approximate`: pairs that are shown beside the subsets and are in no score.
    """

    part: str
    truth: np.ndarray
    subsets: Mapping[str, np.ndarray]
    missing: Mapping[str, str]
    sequences: Mapping[int, str]
    complete: bool
    public: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    approximate: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def shown(self) -> Mapping[str, np.ndarray]:
        """The subsets and, after them, what is approximate."""
        return {**self.subsets, **self.approximate}

    def values(self, name: str, values: np.ndarray) -> np.ndarray:
        """One number per row of a subset, or the difference of each of its pairs: [..., N] to [..., n]."""
        rows = self.shown[name]
        return values[..., rows] if rows.ndim == 1 else values[..., rows[:, 0]] - values[..., rows[:, 1]]

    def without(self, missing: Mapping[str, str]) -> Benchmark:
        """The same without some subsets."""
        kept = {name: rows for name, rows in self.subsets.items() if name not in missing}
        return replace(self, subsets=kept, missing={**self.missing, **missing})

    @property
    def title(self) -> str:
        """What the weighted scores are called: a score that lacks subsets says so."""
        return PARTIAL if self.missing else SCORE

    @property
    def at_hand(self) -> str:
        """The subsets that a partial score stands on and those that it lacks, in words; empty when none is missing."""
        if not self.missing:
            return ""
        weight = sum(WEIGHTS[name] for name in self.subsets)
        lacking = "; ".join(f"{name} ({why})" for name, why in self.missing.items())
        return f"weights {weight:g} of {sum(WEIGHTS.values()):g}; missing: {lacking}"


def read_benchmark(
    part: str, truth: Path | None, subsets: Iterable[Path] = (), leaderboard: Iterable[Path] = ()
) -> Benchmark:
    """Read the measured test file, the tables of subsets and the public leaderboard.

    `subsets` and `leaderboard`: folders, or files under their published names. The public part takes its values from
    the leaderboard when there is no truth file. Raises InputError for rows outside the test file, sequences or values
    that disagree between files, and for a private part without the whole leaderboard.
    """
    if part not in PARTS:
        raise InputError(f"part: found {part!r}, expected one of {', '.join(PARTS)}")
    tables, public = read_files(subsets, TABLES, ".csv"), read_files(leaderboard, LEADERBOARD, ".json")
    known = {row: value for file in public.values() for row, value in file.known.items()}
    sequences: dict[int, str] = {}
    size = None
    if truth:
        measured = read_measurements(truth)
        known, sequences = dict(enumerate(measured.values.ravel().tolist())), dict(enumerate(measured.sequences))
        size = len(known)
    for table in tables.values():
        table.check(size, sequences)
    for file in public.values():
        file.check(size, known)
    if not truth:
        if part != "public":
            raise InputError(f"part {part}: found no file of measured values, expected one (or the public part)")
        sequences = {row: text for table in tables.values() for row, text in table.known.items()}
    values = np.full(max(known, default=-1) + 1, np.nan)
    values[list(known)] = list(known.values())
    at_hand = _public_part(public) if part == "public" else _tables_part(part, tables, public, len(values))
    missing = {name: _why(name, part) for name in WEIGHTS if name not in at_hand}
    ordered = {name: at_hand[name] for name in WEIGHTS if name in at_hand}
    if empty := [name for name, rows in ordered.items() if not len(rows)]:
        raise InputError(f"part {part}: found no rows of subset {', '.join(empty)}, expected some")
    if not ordered:
        raise InputError(f"part {part}: found no subset, expected the published tables or leaderboard files")
    shown = np.unique(np.concatenate([np.empty(0, np.int64), *(file.rows.ravel() for file in public.values())]))
    approximate = _approximate_pairs(part, tables, public, list(sequences.values())) if truth else {}
    return Benchmark(part, values, ordered, missing, sequences, truth is not None, shown, approximate)


def score_table(benchmark: Benchmark, predictions: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Score models: `predictions` holds by name float64 [N], NaN only outside the subsets.

    Returns the rows model, part, subset, measure, value, n, weight, note: Pearson r, r² and Spearman ρ of each subset
    and both weighted scores. A correlation with constant predictions is undefined: its value, and that of a score
    that needs it, is NaN, and the note says so. Missing subsets have rows without a value.
    """
    rows: list[dict[str, Any]] = []
    for model, values in predictions.items():
        found: dict[str, dict[str, float]] = {}
        for name, weight in WEIGHTS.items():
            key = {"model": model, "part": benchmark.part, "subset": name, "weight": weight}
            if name in benchmark.missing:
                rows += [key | {"measure": m, "n": 0, "note": f"missing: {benchmark.missing[name]}"} for m in MEASURES]
                continue
            measured, predicted = benchmark.values(name, benchmark.truth), benchmark.values(name, values)
            found[name] = score(predicted, measured)
            note = _undefined(measured) if np.isnan(found[name]["pearson"]) else ""
            cells = key | {"n": len(measured), "note": note}
            rows += [cells | {"measure": measure, "value": found[name][measure]} for measure in MEASURES]
        for name, pairs in benchmark.approximate.items():
            numbers = score(benchmark.values(name, values), benchmark.values(name, benchmark.truth))
            cells = {"model": model, "part": benchmark.part, "subset": name, "n": len(pairs), "weight": 0.0}
            cells["note"] = "rebuilt from the sequences; in no score"
            rows += [cells | {"measure": measure, "value": numbers[measure]} for measure in MEASURES]
        key = {"model": model, "part": benchmark.part, "subset": benchmark.title, "n": len(found)}
        unknown = [name for name, numbers in found.items() if np.isnan(numbers["pearson"])]
        notes = [benchmark.at_hand, f"undefined: no correlation in {', '.join(unknown)}" if unknown else ""]
        total = sum(WEIGHTS[name] for name in found)
        for measure, part in SCORES.items():
            value = sum(WEIGHTS[name] * numbers[part] for name, numbers in found.items()) / total
            cells = {"measure": measure, "value": value, "weight": total, "note": "; ".join(filter(None, notes))}
            rows.append(key | cells)
    columns = ["model", "part", "subset", "measure", "value", "n", "weight", "note"]
    return pd.DataFrame(rows, columns=columns)


def with_ceiling(scores: pd.DataFrame, benchmark: Benchmark) -> pd.DataFrame:
    """Add the column `ceiling` to a table of `score_table`: the score of a perfect model of simulated promoters."""
    perfect = np.full(len(benchmark.truth), np.nan)
    perfect[list(benchmark.sequences)] = perfect_sequences(list(benchmark.sequences.values()))
    found = score_table(benchmark, {"": perfect}).set_index(["subset", "measure"])["value"]
    return scores.assign(ceiling=found.reindex(pd.MultiIndex.from_frame(scores[["subset", "measure"]])).to_numpy())


def _undefined(measured: np.ndarray) -> str:
    if len(measured) < 2:
        return "undefined: a single row"
    return f"undefined: constant {'measured values' if np.ptp(measured) == 0 else 'predictions'}"


def _why(name: str, part: str) -> str:
    if name == ALL:
        return "the leaderboard files do not list all public rows"
    return f"no {LEADERBOARD[name]}.json" if part == "public" else f"no {TABLES[name]}.csv"


def _public_part(public: Mapping[str, SubsetFile]) -> dict[str, np.ndarray]:
    """The rows of each file, and every public row where the files at hand tell them."""
    found = {name: file.rows for name, file in public.items()}
    if ALL in public or {*SINGLES, *PAIRS} <= public.keys():
        found[ALL] = np.unique(np.concatenate([rows.ravel() for rows in found.values()]))
    return found


def _tables_part(part: str, tables: Mapping[str, SubsetFile], public: Mapping[str, SubsetFile], size: int) -> dict:
    found = {ALL: np.arange(size)} | {name: table.rows for name, table in tables.items()}
    if part == "all":
        return found
    if lacking := [f"{LEADERBOARD[name]}.json" for name in (*SINGLES, *PAIRS) if name not in public]:
        raise InputError(f"part private: found no {', '.join(lacking)}, expected the files of the public leaderboard")
    shown = np.concatenate([file.rows.ravel() for file in public.values()])
    key = np.array([size, 1])  # one number per pair
    shown_pairs = np.concatenate([public[name].rows @ key for name in PAIRS])
    private = {name: rows[~np.isin(rows, shown)] for name, rows in found.items() if name not in PAIRS}
    return private | {name: found[name][~np.isin(found[name] @ key, shown_pairs)] for name in PAIRS if name in found}


def _approximate_pairs(
    part: str, tables: Mapping[str, SubsetFile], public: Mapping[str, SubsetFile], sequences: list[str]
) -> dict[str, np.ndarray]:
    """Pairs of SNVs where their table is not at hand, without rows of motif pairs; none public in the private part."""
    if part == "public" or "SNVs" in tables:
        return {}
    pairs = rebuilt_pairs(sequences)
    motifs = [tables[name].rows.ravel() for name in PAIRS if name in tables]
    pairs = pairs[~np.isin(pairs, np.concatenate([np.empty(0, np.int64), *motifs])).any(axis=1)]
    if part == "private":
        key = np.array([len(sequences), 1])
        pairs = pairs[~np.isin(np.sort(pairs) @ key, np.sort(public["SNVs"].rows) @ key)]
    return {APPROXIMATE: pairs} if len(pairs) else {}


def rows_needed(benchmark: Benchmark, names: Sequence[str] | None = None) -> np.ndarray:
    """Every row that some subsets (default: all that is shown) are computed from, in order."""
    chosen = benchmark.shown if names is None else names
    return np.unique(np.concatenate([benchmark.shown[name].ravel() for name in chosen]))
