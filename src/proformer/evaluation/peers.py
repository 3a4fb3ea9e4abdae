"""Models on an evaluation set, Figure 5: numbers printed in papers, predictions that were published, and this run.

Every prediction is scored by the same code on the same rows: Pearson and Spearman with bootstrap intervals, of the
values and, where rows have a reference (drift, trajectories), of the changes from it; and every two models are tested
against each other on the same rows (see `evaluation.paired`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from proformer.errors import InputError
from proformer.evaluation import PUBLISHED
from proformer.evaluation.evaluate import VALUE, check_rows, contrasts, groups_of, of_table, read_predictions
from proformer.evaluation.metrics import METRICS, score
from proformer.evaluation.paired import SAMPLES, bootstrap, interval, pair_tests
from proformer.files import read_table
from proformer.tasks import MetricName

PRINTED, RECOMPUTED, RUN, PROFORMER = SOURCES = ("printed", "recomputed", "run", "proformer")
MODELS = ("DeepSEA", "DanQ", "DeepAtt", "Convolutional", "Transformer", "CRMnet", "LegNet", "BHI", "Proformer")
MEAN = "mean"
COLUMNS = ["set", "title", "medium", "what", "source", "model", "seed", "n", "pearson", "pearson_low", "pearson_high"]
COLUMNS += ["spearman", "spearman_low", "spearman_high", "note"]
CORRELATIONS: tuple[MetricName, ...] = ("pearson", "spearman")
CEILINGS = [f"{name}_ceiling" for name in CORRELATIONS]  # of simulated sets: a perfect model's
PAIR_COLUMNS = ["set", "what", "model_a", "source_a", "model_b", "source_b", "n", "pearson_a", "pearson_b"]
PAIR_COLUMNS += ["difference", "low", "high", "p_bootstrap", "p_bootstrap_holm"]
PAIR_COLUMNS += ["williams_t", "p_williams", "p_williams_holm"]


@dataclass(frozen=True)
class Entry:
    """Predictions of one model for each row of an evaluation table; `seed` is "" for published ones."""

    source: str
    model: str
    seed: str
    prediction: np.ndarray

    @property
    def named_source(self) -> str:
        """The source as the table of pairs has it, with the seed."""
        return self.source + (f", seed {self.seed}" if self.seed else "")


def printed(evaluation: str | None) -> pd.DataFrame:
    """Numbers printed in papers (model, pearson, source) for a set of `published/peers.tsv`; none for None."""
    table = read_table(PUBLISHED / "peers.tsv")
    if evaluation is not None and evaluation not in set(table["evaluation"]):
        known = ", ".join(table["evaluation"].unique())
        raise InputError(f"printed numbers: found the evaluation {evaluation!r}, expected one of {known}")
    return table[table["evaluation"] == evaluation].reset_index(drop=True)


def run_entry(name: str, seed: str, path: Path, table: pd.DataFrame) -> Entry:
    """Predictions of a model of this run (columns name, sequence, prediction) for the rows of an evaluation table.

    The model's name in figures is that of a published one where it begins so: `danq` DanQ, `danq-wide` DanQ (wide).
    Raises InputError, with the line, for other rows than the table's and for predictions that are no finite numbers.
    """
    predicted = read_predictions(path)
    check_rows(predicted, of_table(table, Path(f"the table of {table['set'].iloc[0]}")))
    model = published_name(name)
    return Entry(PROFORMER if model.startswith("Proformer") else RUN, model, seed, predicted.values[:, 0, 0])


def published_name(name: str) -> str:
    """`deepsea` as DeepSEA, `vaishnav-transformer-repaired` as Transformer (repaired), anything else as it is."""
    for model in MODELS:
        if match := re.fullmatch(rf"(?:vaishnav[-_.])?{model}(?:[-_.](.+))?", name, re.IGNORECASE):
            return f"{model} ({match[1]})" if match[1] else model
    return name


def score_set(
    name: str,
    title: str,
    medium: str,
    table: pd.DataFrame,
    entries: Sequence[Entry],
    numbers: pd.DataFrame,
    samples: int = SAMPLES,
    perfect: np.ndarray | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score `entries` on an evaluation table (see `datasets.measured.evaluation_table`): (scores, pair tests).

    Sequences that the file has twice count once. Seeds of one model have a row each, and one for their mean r.
    `numbers` (see `printed`) join the scores; they have neither interval nor test.
    perfect: what a perfect model predicts of each row, known of simulated sets; the columns `CEILINGS` then hold its
    correlations, beside those of this run.
    """
    key = {"set": name, "title": title, "medium": medium}
    of_papers = numbers.rename(columns={"source": "note"}).assign(**key, what=VALUE, source=PRINTED, seed="")
    scores, tests = [of_papers], []
    for what, rows, values_of in contrasts(table) if entries else ():
        truth = values_of(table["expression"].to_numpy(np.float64))
        predictions = np.stack([values_of(entry.prediction) for entry in entries])
        group = groups_of(table)[rows]
        draws = {name: bootstrap(name, truth, predictions, group, samples) for name in CORRELATIONS}
        scores.append(_scores(truth, predictions, entries, draws).assign(**key, what=what))
        if perfect is not None:
            ideal = score(values_of(perfect), truth, CORRELATIONS)
            scores[-1] = scores[-1].assign(**{f"{name}_ceiling": ideal[name] for name in CORRELATIONS})
        pairs = pair_tests(truth, predictions, draws["pearson"])
        for side in ("a", "b"):
            pairs[f"model_{side}"] = [entries[i].model for i in pairs[side]]
            pairs[f"source_{side}"] = [entries[i].named_source for i in pairs[side]]
        tests.append(pairs.assign(set=name, what=what, n=len(truth)))
    columns = COLUMNS if perfect is None else [*COLUMNS, *CEILINGS]
    pairs = pd.concat(tests, ignore_index=True) if tests else pd.DataFrame(columns=PAIR_COLUMNS)
    return pd.concat(scores, ignore_index=True).reindex(columns=columns), pairs[PAIR_COLUMNS]


def _scores(
    truth: np.ndarray, predictions: np.ndarray, entries: Sequence[Entry], draws: dict[MetricName, np.ndarray]
) -> pd.DataFrame:
    r = {name: METRICS[name].rows(predictions, truth) for name in CORRELATIONS}
    rows = []
    for source, model in dict.fromkeys((entry.source, entry.model) for entry in entries):
        places = [i for i, entry in enumerate(entries) if (entry.source, entry.model) == (source, model)]
        for seed, chosen in [(entries[i].seed, [i]) for i in places] + ([(MEAN, places)] if len(places) > 1 else []):
            row: dict[str, object] = {"source": source, "model": model, "seed": seed, "n": len(truth)}
            for name, values in r.items():
                low, high = interval(draws[name][:, chosen].mean(axis=1))
                row |= {name: values[chosen].mean(), f"{name}_low": low, f"{name}_high": high}
            undefined = np.isnan(values[chosen]).any()
            rows.append(row | {"note": "constant predictions or measurements: r is undefined" if undefined else ""})
    return pd.DataFrame(rows)
