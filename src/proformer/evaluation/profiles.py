"""Models of coverage on the test part of a data set, by metrics that are fair to all of them (Toneyan et al. 2022).

Quantitative models of any resolution and models of labels are scored on the same windows: by Pearson r and squared
error of coverage at their own bins, at coarser ones and after smoothing; by how well their coverage tells windows with
peaks from others; and by how much their predictions vary when the window is shifted. Tracks, such as those of a second
replicate, are scored as if they were predictions: no model can be expected to be better.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from proformer.datasets.store import Store
from proformer.errors import InputError
from proformer.evaluation.collect import point_of
from proformer.evaluation.metrics import METRICS
from proformer.models.folder import TrainedModel
from proformer.settings import Count, CountOrZero, NotNegative
from proformer.training.validation import predict_codes

ROWS = 64  # windows that are predicted at once
EPSILON = 1e-7  # as the Poisson loss has it
WHOLE, PEAKS = "all", "peaks"  # subsets of the windows
OWN, BINS, SMOOTHED, WINDOWS, SHIFTS = "own bins", "bins", "smoothed", "windows", "shifts"
COLUMNS = ["subset", "how", "bp", "over", "task", "metric", "value", "n"]
ABOUT = ["model", "kind", "run", "dataset", "trained_on", "parameters", "best_epoch", "trained_bp", "seed"]
# axes stand before trained_on
EXAMPLES = ["model", "kind", "row", "task", "shift", "position", "truth", "prediction", "label"]


@dataclass(frozen=True)
class Judgement:
    """How models of coverage are scored.

    bins: bp of the coarser bins, and of the boxes by which predictions and measurements are smoothed. thresholds:
    subsets of the windows, those whose greatest value of all tracks is above. shifts: random places within the window
    from which it is predicted again, in so many `shifted_windows` (with a peak, where peaks are known). seed: of both.
    """

    bins: tuple[Count, ...] = (1, 32, 64, 128, 256, 512, 1024, 2048)
    thresholds: tuple[NotNegative, ...] = (0, 2, 4, 6, 8, 10, 12, 16, 20, 24)
    shifts: CountOrZero = 20
    shifted_windows: Count = 1000
    seed: CountOrZero = 1


@dataclass
class Sums:
    """Running sums over the sequences of a test set, per task, from which the metrics follow.

    update: predictions and truths [B, T, P].
    """

    sums: Any = 0.0  # [6, T]: prediction, truth, their squares and product, truth · log(prediction)
    numbers: int = 0
    sequences: int = 0
    r: Any = 0.0
    defined: Any = 0.0  # sequences whose r is defined

    def update(self, x: np.ndarray, y: np.ndarray) -> None:
        """Add sequences."""
        if not len(x):
            return
        with np.errstate(invalid="ignore", divide="ignore"):
            log = y * np.log(np.maximum(x, 0) + EPSILON)
        self.sums = self.sums + np.stack([values.sum(axis=(0, 2)) for values in (x, y, x * x, y * y, x * y, log)])
        self.numbers += x.shape[0] * x.shape[2]
        self.sequences += len(x)
        if x.shape[2] > 1:
            r = METRICS["pearson"].rows(x, y)
            self.r = self.r + np.nansum(r, axis=0)
            self.defined = self.defined + np.isfinite(r).sum(axis=0)

    def scores(self) -> Iterator[tuple[str, str, np.ndarray, Any]]:
        """Over what, metric, its value of each task, and of how many sequences.

        scaled_…: of predictions times the ratio of all coverage to all predicted, per task (Methods, "Scaling").
        """
        if not self.sequences:
            return
        n = self.numbers
        x, y, xx, yy, xy, log = self.sums / n
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = np.maximum(xx - x * x, 0) * np.maximum(yy - y * y, 0)
            r = np.where(spread > 1e-18 * (xx * yy), (xy - x * y) / np.sqrt(spread), np.nan)
            factor = y / x
            yield WHOLE, "pearson", r, self.sequences
            yield WHOLE, "mse", xx + yy - 2 * xy, self.sequences
            yield WHOLE, "poisson_nll", x - log, self.sequences
            yield WHOLE, "scaled_mse", factor * factor * xx + yy - 2 * factor * xy, self.sequences
            yield WHOLE, "scaled_poisson_nll", factor * x - log - y * np.log(factor), self.sequences
            if np.ndim(self.defined):
                yield "sequence", "pearson", self.r / self.defined, self.defined


Predict = Callable[[slice], np.ndarray]  # coverage [B, T, P] of rows of the test part, or logits [B, T, 1]


@dataclass(frozen=True)
class TestSet:
    """The middles of the windows of a test part, as long as models read them."""

    store: Store
    length: int
    step: int = field(init=False)

    def __post_init__(self) -> None:
        window, task = self.store.codes.shape[1], self.store.task
        step = task.bin or 1
        whole = task.kind == "profile" and self.store.target.shape[2] * step == window
        if not whole and task.kind != "binary":
            found = f"targets of the kind {task.kind!r}"
            raise InputError(f"{self.store.path}: found {found}, expected labels, or profiles of whole windows")
        if not 0 < self.length <= window or (window - self.length) % (2 * step):
            raise InputError(f"{self.store.path}: found windows of {window} bp for a model that reads {self.length}")
        object.__setattr__(self, "step", step)

    @property
    def label(self) -> np.ndarray | None:
        """Which tasks have a peak in each window, where that is known: bool [N, T]."""
        if self.store.task.kind == "binary":
            return np.asarray(self.store.target[:, :, 0]) > 0
        return np.asarray(self.store.columns["label"], bool) if "label" in self.store.columns else None

    @property
    def start(self) -> int:
        """Where the middle begins."""
        return (self.store.codes.shape[1] - self.length) // 2

    def truth(self, rows: slice, column: str = "target") -> np.ndarray:
        """Coverage of the middles: float64 [B, T, length / step]; NaN [B, T, 1] where there are labels alone."""
        if self.store.task.kind == "binary":
            return np.full((rows.stop - rows.start, len(self.store.task.names), 1), np.nan)
        first = self.start // self.step
        return np.asarray(self.store.columns[column][rows, :, first : first + self.length // self.step], np.float64)

    def rows(self) -> Iterator[slice]:
        """All rows, some at a time."""
        for first in range(0, len(self.store), ROWS):
            yield slice(first, min(first + ROWS, len(self.store)))


def binned(values: np.ndarray, by: int) -> np.ndarray:
    """Means of so many positions: [B, T, P] to [B, T, P / by]."""
    return values.reshape(*values.shape[:2], -1, by).mean(axis=3) if by > 1 else values


def smoothed(values: np.ndarray, by: int) -> np.ndarray:
    """Means of a box of so many positions, wherever it lies within the window: [B, T, P - by + 1]."""
    total = np.cumsum(np.pad(values, ((0, 0), (0, 0), (1, 0))), axis=2)
    return (total[:, :, by:] - total[:, :, :-by]) / by


def score(test: TestSet, predict: Predict, size: int | None, plan: Judgement) -> pd.DataFrame:
    """All scores of coverage that is predicted in bins of `size` bp, or of labels (None): `COLUMNS`."""
    greatest = np.concatenate([np.asarray(test.store.target[rows]).max(axis=(1, 2)) for rows in test.rows()])
    label, coverage = test.label, test.store.task.kind == "profile"
    subsets: dict[str, Any] = {WHOLE: np.ones(len(greatest), bool)} | (
        {PEAKS: label.any(axis=1)} if label is not None and coverage else {}
    )
    subsets |= {f"above {limit:g}": greatest > limit for limit in plan.thresholds}
    sums: dict[tuple[str, str, int], Sums] = {}
    means: list[tuple[np.ndarray, np.ndarray]] = []
    for rows in test.rows():
        x, y = predict(rows).astype(np.float64), test.truth(rows)
        means.append((x.mean(axis=2), y.mean(axis=2)))
        if size is None or not coverage:
            continue
        own = binned(y, size // test.step)
        for name, chosen in subsets.items():
            sums.setdefault((name, OWN, size), Sums()).update(x[chosen[rows]], own[chosen[rows]])
        for bp in plan.bins:
            if bp >= size and bp % size == 0 and test.length % bp == 0:
                pair = binned(x, bp // size), binned(own, bp // size)
                sums.setdefault((WHOLE, BINS, bp), Sums()).update(*pair)
                pair = smoothed(x, bp // size), smoothed(own, bp // size)
                sums.setdefault((WHOLE, SMOOTHED, bp), Sums()).update(*pair)
    found = [
        (subset, how, bp, over, name, metric, value, n)
        for (subset, how, bp), running in sums.items()
        for over, metric, values, numbers in running.scores()
        for name, value, n in zip(test.store.task.names, values, np.broadcast_to(numbers, values.shape), strict=True)
    ]
    x, y = (np.concatenate(side) for side in zip(*means, strict=True))
    for subset, chosen in subsets.items():
        if subset.startswith("above"):
            continue
        for task, name in enumerate(test.store.task.names):
            pairs: dict[Any, np.ndarray] = {"pearson": y} | (
                {"auroc": label, "aupr": label} if label is not None else {}
            )
            for metric, truth in pairs.items():
                pair = x[chosen, task], truth[chosen, task].astype(np.float64)
                known = np.isfinite(pair).all() and chosen.any()
                value = float(METRICS[metric].rows(*pair)) if known else np.nan
                found.append((subset, WINDOWS, test.length, WHOLE, name, metric, value, int(chosen.sum())))
    return pd.DataFrame(found, columns=COLUMNS)


def starts(test: TestSet, plan: Judgement) -> np.ndarray:
    """Where shifted predictions begin in the window, distinct where there are enough places: int64 [S]."""
    room = test.store.codes.shape[1] - test.length
    places = np.random.default_rng(plan.seed).permutation(room // test.step + 1)[: plan.shifts]
    return np.sort(places) * test.step


def shifted(test: TestSet, model: TrainedModel, rows: np.ndarray, at: np.ndarray, size: int) -> np.ndarray:
    """Predictions from each start, at base resolution, of what all of them see: float64 [S, B, T, common bp]."""
    room = test.store.codes.shape[1] - test.length
    codes = np.asarray(test.store.codes[rows])
    found = []
    for start in at.tolist():
        values = _coverage(model, codes[:, start : start + test.length]).repeat(size, axis=2)
        found.append(values[:, :, room - start : test.length - start])
    return np.stack(found)


def robustness(test: TestSet, model: TrainedModel, size: int, plan: Judgement) -> pd.DataFrame:
    """The variation score, and r within each sequence of single and of robust predictions of what all shifts see.

    Variation: the standard deviation over shifts, averaged over positions, divided by the mean prediction; its mean is
    over the windows with a peak of the task. Robust: the mean over shifts.
    """
    room = test.store.codes.shape[1] - test.length
    if not plan.shifts or not 0 < room < test.length or test.store.task.kind == "binary":
        return pd.DataFrame(columns=COLUMNS)
    label = test.label
    label = np.ones((len(test.store), len(test.store.task.names)), bool) if label is None else label
    known = np.flatnonzero(label.any(axis=1))
    known = np.sort(np.random.default_rng(plan.seed).permutation(known)[: plan.shifted_windows])
    at = starts(test, plan)
    totals: dict[str, list[np.ndarray]] = {"variation": [], "pearson": [], "robust_pearson": []}
    for first in range(0, len(known), ROWS):
        rows = known[first : first + ROWS]
        values = shifted(test, model, rows, at, size)
        robust = values.mean(axis=0)
        truth = np.asarray(test.store.target[rows], np.float64).repeat(test.step, axis=2)[:, :, room : test.length]
        single = shifted(test, model, rows, np.array([test.start]), size)[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            totals["variation"].append(values.std(axis=0).mean(axis=2) / robust.mean(axis=2))
        totals["pearson"].append(METRICS["pearson"].rows(single, truth))
        totals["robust_pearson"].append(METRICS["pearson"].rows(robust, truth))
    found = []
    for metric, parts in totals.items():
        values = np.concatenate(parts) if parts else np.empty((0, len(test.store.task.names)))
        for task, name in enumerate(test.store.task.names):
            own = values[label[known, task], task]
            own = own[np.isfinite(own)]
            value = own.mean() if len(own) else np.nan
            found.append(
                (PEAKS, SHIFTS, 2 * test.length - test.store.codes.shape[1], "sequence", name, metric, value, len(own))
            )
    return pd.DataFrame(found, columns=COLUMNS)


def _coverage(model: TrainedModel, codes: np.ndarray) -> np.ndarray:
    """Coverage [B, T, P] in the source's units, or the logits of labels [B, T, 1]."""
    device = next(model.model.parameters()).device
    with torch.inference_mode():
        output = predict_codes(model.model, torch.from_numpy(np.array(codes)).to(device))
        output = output.double() if model.task.kind == "binary" else model.task.restore(output)
    return output.cpu().numpy()


def judge(model: TrainedModel, name: str, store: Store, plan: Judgement) -> pd.DataFrame:
    """All scores of one model, with what it is: run, axes, data set and seed.

    Raises InputError for a model of other tasks than the test part's, or that cannot read its windows.
    """
    if model.task.names != store.task.names:
        raise InputError(f"{name}: found the tasks {', '.join(model.task.names)}, expected those of {store.path}")
    test = TestSet(store, model.description["layout"]["length"])
    size = model.task.bin if model.task.kind == "profile" else None
    if size and size % test.step:
        raise InputError(f"{name}: found bins of {size} bp, expected several of the test part's {test.step}")

    def predict(rows: slice) -> np.ndarray:
        codes = np.asarray(store.codes[rows, test.start : test.start + test.length])
        return _coverage(model, codes)

    table = score(test, predict, size, plan)
    if size:
        table = pd.concat([table, robustness(test, model, size, plan)], ignore_index=True)
    point = point_of(model.description, Path(name).name)
    axes = {axis: str(level) for axis, level in point["axes"].items()}
    label = " ".join([point["run"], *axes.values()])
    about = {"model": label, "kind": model.task.kind, "run": point["run"], "dataset": point["dataset"], **axes}
    windows = model.description["data"].get("windows", {})
    limit = windows.get("threshold")
    about["trained_on"] = "peaks" if windows.get("rows") == "peaks" else f"threshold {limit or 0:g}"
    about |= {"parameters": model.description["parameters"], "best_epoch": model.description["best_epoch"]}
    about |= {"trained_bp": size or np.nan, "seed": model.description["training"]["seed"]}
    return table.assign(**about)[[*about, *COLUMNS]]


def judge_all(models: Mapping[str, TrainedModel], store: Store, plan: Judgement) -> pd.DataFrame:
    """All scores of models, by their folders, and of the tracks that are compared: one long table.

    Raises InputError for models that read other lengths: they would see other parts of the windows.
    """
    lengths = {folder: model.description["layout"]["length"] for folder, model in models.items()}
    for folder, length in lengths.items():
        if length != (first := next(iter(lengths.values()))):
            raise InputError(f"{folder}: found a model that reads {length} bp, expected {first} as the others do")
    tables = [judge(model, folder, store, plan).assign(folder=folder) for folder, model in models.items()]
    tables += list(_tracks(store, next(iter(lengths.values())), plan))
    joined = pd.concat(tables, ignore_index=True)
    axes = [name for name in joined if name not in (*ABOUT, *COLUMNS, "folder")]
    return joined[[*ABOUT[:4], *axes, *ABOUT[4:], *COLUMNS, "folder"]]


def _tracks(store: Store, length: int, plan: Judgement) -> Iterator[pd.DataFrame]:
    """Scores of the tracks that stand in the store to be compared, in bins of the store's own."""
    test = TestSet(store, length)
    for number, name in enumerate(store.meta.get("compared", [])):
        table = score(test, partial(test.truth, column=f"compared_{number}"), test.step, plan)
        yield table.assign(model=name, kind="tracks", trained_bp=test.step)


def examples(models: Mapping[str, TrainedModel], scores: pd.DataFrame, store: Store, plan: Judgement) -> pd.DataFrame:
    """What the best quantitative model predicts: numbers for figures, `EXAMPLES`.

    kind "track": coverage of the five windows with the most, in order; "shift": predictions of the first of them from
    five starts; "label": mean coverage of every window, measured and predicted, and whether it has a peak.
    """
    own = scores[(scores["how"] == OWN) & (scores["subset"] == WHOLE) & (scores["metric"] == "pearson")]
    own = own[own["kind"] == "profile"].dropna(subset="value")
    within = own[own["over"] == "sequence"]  # profiles of one position have none, and show nothing
    own = within if len(within) else own
    if own.empty:
        return pd.DataFrame(columns=EXAMPLES)
    best = own.groupby("folder")["value"].mean().idxmax()
    model = models[str(best)]
    test, size = TestSet(store, model.description["layout"]["length"]), int(model.task.bin or 1)
    name, tasks = own.loc[own["folder"] == best, "model"].iloc[0], store.task.names
    means = np.concatenate([test.truth(rows).mean(axis=2) for rows in test.rows()])
    rows = np.sort(np.argsort(-means.max(axis=1), kind="stable")[:5])
    frames = []

    def add(kind: str, row: int, task: int, prediction: np.ndarray, truth: np.ndarray, **more: Any) -> None:
        place = np.arange(len(prediction)) * size
        keys = {"model": name, "kind": kind, "row": row, "task": tasks[task], "position": place}
        frames.append(pd.DataFrame(keys | {"truth": truth, "prediction": prediction} | more))

    truth = binned(
        np.asarray(store.target[rows], np.float64)[:, :, test.start // test.step :][:, :, : test.length // test.step],
        size // test.step,
    )
    made = _coverage(model, np.asarray(store.codes[rows, test.start : test.start + test.length]))
    for number, row in enumerate(rows.tolist()):
        for task in range(len(tasks)):
            add("track", row, task, made[number, task], truth[number, task])
    room = store.codes.shape[1] - test.length
    if plan.shifts and 0 < room < test.length:
        task = int(means[rows[0]].argmax())
        for start in starts(test, plan)[:5].tolist():
            values = shifted(test, model, rows[:1], np.array([start]), size)[0, 0, task][::size]
            add("shift", int(rows[0]), task, values, np.full(len(values), np.nan), shift=start)
    if "label" in store.columns:
        predicted = np.concatenate(
            [
                _coverage(model, np.asarray(store.codes[part, test.start : test.start + test.length])).mean(axis=2)
                for part in test.rows()
            ]
        )
        for task, named in enumerate(tasks):
            keys = {"model": name, "kind": "label", "row": np.arange(len(store)), "task": named}
            values = {
                "truth": means[:, task],
                "prediction": predicted[:, task],
                "label": store.columns["label"][:, task],
            }
            frames.append(pd.DataFrame(keys | values))
    return pd.concat(frames, ignore_index=True).reindex(columns=EXAMPLES)
