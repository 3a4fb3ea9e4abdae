"""All that the report shows of what trained models have learnt, as tables: see docs/explain.md.

Every table begins with the columns run (with the levels of its axes) and seed. On simulated promoters the simulator
answers the same questions, as the run "perfect model".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.evaluation.metrics import METRICS
from proformer.explain import truth as simulator
from proformer.explain.attribution import Attributor, completeness, contributions
from proformer.explain.design import design_table, designed
from proformer.explain.filters import motif_table, motifs_of, shuffled_columns, untrained
from proformer.explain.importance import Importance, background, occlusion
from proformer.explain.meme import Motifs, information
from proformer.explain.questions import MATCHED, Study
from proformer.predict import Predictor
from proformer.sequences import N

DRAWN = 4  # filters of a model, those that are most like a known motif
LETTERS = 100  # of a logo: the middle ones, where a window has its peak
COPIES = 4
Predict = Callable[[np.ndarray], np.ndarray]


@dataclass
class Tables:
    """Tables by name, each of pieces that are put together in the end."""

    pieces: dict[str, list[pd.DataFrame]] = field(default_factory=dict)

    def add(self, name: str, table: pd.DataFrame, run: str, seed: object) -> None:
        """A piece of a table, of one model."""
        if len(table):
            table = table.copy()
            table.insert(0, "run", run)
            table.insert(1, "seed", seed)
            self.pieces.setdefault(name, []).append(table)

    def joined(self) -> dict[str, pd.DataFrame]:
        """Whole tables."""
        return {name: pd.concat(pieces, ignore_index=True) for name, pieces in self.pieces.items()}


def study(
    models: Mapping[tuple[str, str], Predictor], codes: np.ndarray, plan: Study, motifs: Motifs, simulated: bool
) -> dict[str, pd.DataFrame]:
    """Tables of models, by (run, seed), on codes uint8 [N, L] that none of them was trained on.

    motifs: known ones; none: filters are not compared. simulated: the codes are simulated promoters. Tables:
    attribution, logos, motifs, filters, filter_logos, importance, occlusion, design; those that are asked for.
    """
    tables = Tables()
    sample = _sample(codes, plan.sequences, simulated)
    if not len(sample):
        raise InputError("explain-models: found no sequences with a binding site, expected some")
    whole = whole_sequences(codes)
    reference = _reference(sample, plan, tables) if simulated else None
    experiments: list[tuple[str, str, Predict]] = [(simulator.PERFECT, "", simulator.truth)] if simulated else []
    for (run, seed), predictor in models.items():
        attributor = Attributor(predictor, [plan.task] if plan.task else predictor.task.names[:1])
        ism = _attribute(attributor, sample, plan, reference, tables, run, seed)
        if run in plan.attributed:
            continue
        _logos(ism, sample, plan, tables, run, seed)
        if motifs:
            add_motifs(motifs_of, predictor, codes, motifs, tables, run, seed, controls=True)
        if plan.designs:
            _design(attributor, whole[: plan.designs], plan, simulated, tables, run, seed)
        experiments.append((run, seed, attributor.predict))
    task = [plan.task or next(iter(models.values())).task.names[0]]
    for run, seed, predict in experiments if plan.asks_for_importance else ():
        tables.add("importance", importance(predict, whole, codes, plan, task), run, seed)
    return tables.joined()


def middles(store: Path, models: Iterable[Predictor], first: int | None = None) -> np.ndarray:
    """The codes uint8 [N, L] of a store's `first` rows; of windows longer than what the models read, their middles.

    Raises InputError for models of several lengths, which would see different parts of the windows.
    """
    codes = open_store(store).codes
    window, lengths = codes.shape[1], sorted({predictor.layout.length for predictor in models})
    if len(lengths) > 1 or lengths[0] > window:
        found = f"windows of {window} nt, and models that read {', '.join(map(str, lengths))}"
        raise InputError(f"{store}: found {found}, expected one length, at most the windows'")
    start = (window - lengths[0]) // 2
    return np.array(codes[:first, start : start + lengths[0]])


def _sample(codes: np.ndarray, number: int, simulated: bool) -> np.ndarray:
    """The first sequences; of simulated promoters the first ones with a binding site."""
    return (codes[simulator.site_positions(codes).any(axis=1)] if simulated else codes)[:number]


def whole_sequences(codes: np.ndarray) -> np.ndarray:
    """The largest group of sequences whose known letters are in the same places."""
    _, group, sizes = np.unique(codes < N, axis=0, return_inverse=True, return_counts=True)
    return codes[group.ravel() == sizes.argmax()]


def _reference(sample: np.ndarray, plan: Study, tables: Tables) -> tuple[np.ndarray, np.ndarray]:
    """What each letter truly does, float [N, L], and which letters are of sites; the simulator's rows of the tables."""
    values, sites = contributions(simulator.true_scores(sample), sample)[:, 0], simulator.site_positions(sample)
    row = {"method": "ism", "sequences": len(sample), "auroc": _auroc(values, sites, sample), "r_truth": 1.0}
    tables.add("attribution", pd.DataFrame([row]), simulator.PERFECT, "")
    _logos(values, sample, plan, tables, simulator.PERFECT, "")
    return values, sites


def _auroc(values: np.ndarray, sites: np.ndarray, codes: np.ndarray) -> float:
    known = codes < N
    return float(METRICS["auroc"].rows(np.abs(values[known]), sites[known].astype(float)))


def _attribute(
    attributor: Attributor,
    sample: np.ndarray,
    plan: Study,
    reference: tuple[np.ndarray, np.ndarray] | None,
    tables: Tables,
    run: str,
    seed: str,
) -> np.ndarray:
    """Add rows to the table attribution; returns the contributions by mutagenesis, float [N, L]."""
    known = sample < N
    rows: list[dict[str, Any]] = []
    ism = contributions(attributor.scores(sample, "ism"), sample)[:, 0]
    for method in plan.methods:
        row: dict[str, Any] = {"method": method, "sequences": len(sample)}
        try:
            scores = attributor.scores(sample, method) if method != "ism" else None
        except InputError as error:
            rows.append(row | {"note": str(error)})
            continue
        values = ism if scores is None else contributions(scores, sample)[:, 0]
        row["r_ism"] = float(METRICS["pearson"].rows(values[known], ism[known]))
        if method == "integrated" and scores is not None:
            gap = attributor.gap(sample)
            row["incompleteness"] = float(np.abs(completeness(scores, sample, gap)).mean() / np.abs(gap).mean())
        if reference:
            row["auroc"] = _auroc(values, reference[1], sample)
            row["r_truth"] = float(METRICS["pearson"].rows(values[known], reference[0][known]))
        rows.append(row)
    tables.add("attribution", pd.DataFrame(rows), run, seed)
    return ism


def _logos(values: np.ndarray, codes: np.ndarray, plan: Study, tables: Tables, run: str, seed: str) -> None:
    for row in range(min(plan.logos, len(codes))):
        known = np.flatnonzero(codes[row] < N)
        place = known[max(0, (len(known) - LETTERS) // 2) :][:LETTERS]
        columns = {"sequence": row, "position": place - known[0], "code": codes[row, place]}
        tables.add("logos", pd.DataFrame(columns | {"contribution": values[row, place]}), run, seed)


def add_motifs(
    find: Callable[[Predictor, np.ndarray], tuple[dict[str, np.ndarray], dict[str, int]]],
    predictor: Predictor,
    codes: np.ndarray,
    known: Motifs,
    tables: Tables,
    run: str,
    seed: str,
    controls: bool = False,
) -> None:
    """Add a model's motifs (of its filters, or its patterns) to the tables motifs, filters and filter_logos.

    controls: beside what is like a known motif stands the same of the model before training, and with known motifs
    whose columns are shuffled.
    """
    try:
        motifs, sites = find(predictor, codes)
        table, cut = motif_table(motifs, sites, known)
    except InputError as error:
        tables.add("filters", pd.DataFrame([{"filters": 0, "note": str(error)}]), run, seed)
        return
    tables.add("motifs", table, run, seed)
    hits = table[table["q"] < MATCHED]
    row: dict[str, Any] = {"filters": len(table), "motifs": len(cut), "matched": len(hits), **_matches(table)}
    if controls:
        start = untrained(predictor, int(seed) if seed.isdecimal() else 0)
        row |= _matches(motif_table(*find(start, codes), known)[0], "_untrained")
        row |= _matches(motif_table(motifs, sites, shuffled_columns(known))[0], "_shuffled")
    seen = {"trained_on": predictor.description.get("data", {}).get("train")}
    tables.add("filters", pd.DataFrame([row | seen | {"targets": ", ".join(sorted(set(hits["target"])))}]), run, seed)
    for line in table[table["filter"].isin([*cut])].head(DRAWN).itertuples():
        matrix = cut[line.filter]
        piece = pd.DataFrame(matrix * information(matrix)[:, None], columns=[*"ACGT"])
        words = {"filter": line.filter, "target": line.target, "q": line.q, "position": range(len(matrix)), **seen}
        tables.add("filter_logos", piece.assign(**words), run, seed)


def _matches(table: pd.DataFrame, of: str = "") -> dict[str, float]:
    """The share of motifs that are like a known one, and the mean q of all; of those not compared it is 1."""
    values = {"hit_ratio": (table["q"] < MATCHED).mean(), "mean_q": table["q"].fillna(1).mean()}
    return {f"{name}{of}": float(value) for name, value in values.items()}


def importance(
    predict: Predict, whole: np.ndarray, codes: np.ndarray, plan: Study, tasks: Sequence[str] = ("expression",)
) -> pd.DataFrame:
    """The experiments of a plan: positions and copies of patterns, flanks, distances, occlusion.

    whole: codes of sequences that are known in the same places, of which backgrounds are made. Positions count from the
    first known letter. The column null says how backgrounds were made; occlusion has none.
    """
    if not plan.asks_for_importance:
        raise InputError("importance: found no pattern, expected patterns, flanks, a pair, or what to occlude")
    first, last = _known_stretch(whole[0], plan)
    tables = []
    for null in plan.nulls:
        found = []
        backgrounds = background(whole[: plan.backgrounds], null, np.random.default_rng(1))
        experiments = Importance(predict, backgrounds, tasks)
        for pattern in plan.patterns:
            width = len(pattern)
            positions = experiments.positions(pattern, range(first, last + 2 - width, plan.every))
            found.append(positions.assign(x=positions["x"] - first))
            found.append(experiments.copies(pattern, range(first + 2, last + 2 - width, width + 6)[:COPIES]))
        if plan.flanks:
            found.append(experiments.flanks(plan.flanks, (first + last + 1 - len(plan.flanks)) // 2))
        if plan.pair:
            one, other = plan.pair
            centre, step = first + 2, -(-plan.every // 2)
            distances = range(len(one), last + 2 - len(other) - centre, step)
            found.append(experiments.distances(one, other, centre, distances))
        tables += [table.assign(null=null) for table in found]
    if plan.occlude:
        lost = occlusion(predict, codes, plan.occlude, list(tasks), np.random.default_rng(1))
        tables.append(lost.assign(null=""))
    return pd.concat(tables, ignore_index=True)


def _known_stretch(codes: np.ndarray, plan: Study) -> tuple[int, int]:
    """Where the known letters of codes [L] begin and end. Raises InputError where a plan's patterns do not fit in."""
    known = np.flatnonzero(codes < N)
    room = int(known[-1] - known[0]) - 1 if len(known) else 0  # copies and pairs begin at the third letter
    for pattern in (*plan.patterns, plan.flanks or "", "".join(plan.pair or ())):
        if len(pattern) > room:
            raise InputError(f"importance: found {pattern} and {room} nt to write it into, expected a shorter pattern")
    return (int(known[0]), int(known[-1])) if len(known) else (0, 0)


def _design(
    attributor: Attributor, start: np.ndarray, plan: Study, simulated: bool, tables: Tables, run: str, seed: str
) -> None:
    def predict(codes: np.ndarray) -> np.ndarray:
        return attributor.predict(codes)[:, 0]

    known = (lambda codes: simulator.truth(codes)[:, 0]) if simulated else None
    for designer in plan.designers:
        try:
            table = design_table(designed(designer, attributor, start, plan.goal, plan.edits), predict, known)
        except InputError as error:  # ledidi is an extra, and needs models that look letters up
            table = pd.DataFrame([{"note": str(error)}])
        table.insert(0, "designer", designer)
        tables.add("design", table, run, seed)


def checked_names(names: Sequence[str], files: Sequence[Path]) -> list[tuple[str, str]]:
    """Names "RUN:SEED" of so many files, as pairs."""
    if len(names) != len(files) or len(set(names)) < len(names):
        raise InputError(f"--names: found {', '.join(names)}, expected {len(files)} different ones, RUN:SEED of each")
    pairs = [(name.rpartition(":")[0], name.rpartition(":")[2]) for name in names]
    if wrong := [name for name, (run, seed) in zip(names, pairs, strict=True) if not (run and seed)]:
        raise InputError(f"--names: found {wrong[0]!r}, expected RUN:SEED")
    return pairs
