"""The claims on Figure 5, held against pairs of models of a run."""

from __future__ import annotations

import pandas as pd
import pytest

from proformer.evaluation.claims import CONTRADICTS, SUPPORTS, UNDECIDED
from proformer.evaluation.claims_scores import peers_card
from proformer.files import write_table


def pairs(difference: float, seeds: int = 3, b: str = "CRMnet") -> pd.DataFrame:
    """Proformer minus another model, and rows that do not count: of published predictions, and of changes."""
    row = {"set": "native", "what": "value", "model_a": "Proformer", "model_b": b, "difference": difference}
    row |= {"low": difference - 0.001, "high": difference + 0.001}
    rows = [row | {"source_a": f"proformer, seed {s}", "source_b": f"run, seed {s}"} for s in range(1, seeds + 1)]
    rows += [row | {"source_a": "proformer, seed 1", "source_b": "recomputed", "difference": -9, "low": -9, "high": -9}]
    return pd.DataFrame([*rows, rows[0] | {"what": "change", "difference": -9.0}])


@pytest.mark.parametrize(
    ("evaluation", "difference", "seeds", "verdict"),
    [
        ("native_61150", 0.0, 3, SUPPORTS),
        ("native_61150", 0.05, 3, CONTRADICTS),
        ("random_2954", 0.05, 3, SUPPORTS),
        ("random_2954", -0.05, 3, CONTRADICTS),
        ("random_2954", 0.05, 2, UNDECIDED),
    ],
)
def test_proformer_against_crmnet(evaluation, difference, seeds, verdict):
    card = peers_card(pairs(difference, seeds), evaluation).set_index("claim")
    claim = {"native_61150": "5.1", "random_2954": "5.3"}[evaluation]
    assert card.loc[claim, "verdict"] == verdict
    assert (card["published_verdict"] == SUPPORTS).all()
    assert len(card) == 2
    assert card["verdict"].tolist().count(UNDECIDED) >= 1  # the transformer is not there


def test_the_verb_takes_the_sets_of_the_figure_alone(tmp_path, proformer):
    write_table(tmp_path / "pairs.tsv", pairs(0.0))
    words = ["report-card", "--figure", "5", "--run", tmp_path / "pairs.tsv", "--out", tmp_path / "c.tsv"]
    words += ["--html", tmp_path / "c.html"]
    assert proformer(*words, "--dataset", "native_61150").returncode == 0
    result = proformer(*words, "--dataset", "native")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
