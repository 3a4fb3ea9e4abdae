"""Numbers for figures of single windows: what the best quantitative model predicts of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from proformer.datasets.store import Store
from proformer.evaluation.judgement import Judgement
from proformer.evaluation.profile_shifts import shifted, starts
from proformer.evaluation.profile_windows import OWN, WHOLE, HeldOut, binned, predicted
from proformer.models.folder import TrainedModel

EXAMPLES = ["model", "kind", "row", "task", "shift", "position", "truth", "prediction", "label"]


def examples(models: Mapping[str, TrainedModel], scores: pd.DataFrame, store: Store, plan: Judgement) -> pd.DataFrame:
    """What the best quantitative model predicts: numbers for figures, `EXAMPLES`.

    kind "track": coverage of the five windows with the most, in order; "shift": predictions of the first of them from
    five starts; "label": mean coverage of every window, measured and predicted, and whether it has a peak.
    """
    own = scores[(scores["how"] == OWN) & (scores["subset"] == WHOLE) & (scores["metric"] == "pearson")]
    own = own[own["kind"] == "profile"].dropna(subset="value")
    plain = own[own["loss"].isin(("Poisson", np.nan))] if "loss" in own else own  # others need not predict the scale
    own = plain if len(plain) else own
    within = own[own["over"] == "sequence"]  # profiles of one position have none, and show nothing
    own = within if len(within) else own
    if own.empty:
        return pd.DataFrame(columns=EXAMPLES)
    best = own.groupby("folder")["value"].mean().idxmax()
    model = models[str(best)]
    test, size = HeldOut(store, model.description["layout"]["length"]), int(model.task.bin or 1)
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
    made = predicted(model, test.codes(rows))
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
        in_windows = np.concatenate([predicted(model, test.codes(part)).mean(axis=2) for part in test.rows()])
        for task, named in enumerate(tasks):
            keys = {"model": name, "kind": "label", "row": np.arange(len(store)), "task": named}
            values = {
                "truth": means[:, task],
                "prediction": in_windows[:, task],
                "label": store.columns["label"][:, task],
            }
            frames.append(pd.DataFrame(keys | values))
    return pd.concat(frames, ignore_index=True).reindex(columns=EXAMPLES)
