"""Intervals hold what they promise of rows like those that calibrate them; seeds together; tables of the test set."""

import numpy as np
import pandas as pd
import pytest
from tiny_models import FLANKS, tiny

from proformer.datasets.measured import evaluation_table
from proformer.errors import InputError
from proformer.explain.certainty import NOMINAL, WIDTHS, Ensemble, Intervals, drift_table, scored_tables
from proformer.simulate.dream import MEASURED, write_dream
from proformer.simulate.vaishnav import DRIFT, RANDOM, write_vaishnav


def rows(number, seed, noise=1.0):
    """Predictions of two models, whose spread is that of their error, in other units than what is measured."""
    random = np.random.default_rng(seed)
    truth, sd = random.normal(size=number), random.uniform(0.2, 2, number)
    models = [truth + sd * random.normal(size=number) for _ in range(2)]
    return Ensemble.of(models), 3 * truth + noise * random.normal(size=number)


@pytest.mark.parametrize("width", WIDTHS)
def test_coverage_is_nominal_on_rows_of_the_same_kind(width):
    found = []
    for seed in range(20):
        intervals, (new, measured) = Intervals(*rows(200, seed), width), rows(400, 1000 + seed)
        error = np.abs(measured - intervals.centre(new))
        found.append([(error <= intervals.half(new, coverage)).mean() for coverage in NOMINAL])
    assert np.mean(found, axis=0) == pytest.approx(NOMINAL, abs=0.03)


def test_intervals_are_wider_where_models_disagree():
    intervals, (new, _) = Intervals(*rows(300, 0), "spread"), rows(50, 1)
    half = intervals.half(new, 0.9)
    assert np.corrcoef(half, new.sd)[0, 1] == pytest.approx(1)
    assert np.ptp(Intervals(*rows(300, 0), "constant").half(new, 0.9)) == 0


@pytest.mark.parametrize(("number", "nominal"), [(20, 0.9), (10, 0.8)])
def test_few_rows_do_not_promise_too_much(number, nominal):
    """Of n rows the ⌈(n + 1) · c⌉-th smallest error holds ⌈(n + 1) · c⌉ / (n + 1)."""
    found = []
    for seed in range(1000):
        intervals, (new, measured) = Intervals(*rows(number, seed)), rows(100, 10_000 + seed)
        found.append((np.abs(measured - intervals.centre(new)) <= intervals.half(new, nominal)).mean())
    place = np.ceil((number + 1) * nominal)
    assert np.mean(found) == pytest.approx(place / (number + 1), abs=0.02)


def test_too_few_rows_promise_nothing():
    known, measured = rows(10, 0)
    assert np.isinf(Intervals(known, measured).half(known, 0.95)).all()
    assert np.isfinite(Intervals(known, measured).half(known, 0.9)).all()
    with pytest.raises(InputError, match="found 9 rows, expected at least 10"):
        Intervals(known.rows(np.arange(9)), measured[:9])


def test_no_share_is_held_by_no_width_and_a_rounded_place_is_not_the_next():
    known, measured = rows(99, 0)
    intervals = Intervals(known, measured)
    assert not intervals.half(known, 0).any()
    assert intervals.half(known, 0.55)[0] == intervals.errors[0][54]


def test_a_row_without_which_there_is_no_line_has_no_error():
    known, measured = Ensemble.of([np.eye(12)[3]]), np.random.default_rng(0).normal(size=12)
    intervals = Intervals(known, measured)
    assert np.isinf(intervals.half(known, 0.9)).all()
    assert np.isfinite(intervals.half(known, 0.8)).all()


def test_a_constant_model_has_the_mean_in_the_middle():
    known, measured = Ensemble.of([np.ones(50)]), np.random.default_rng(0).normal(5, 1, 50)
    intervals = Intervals(known, measured)
    assert intervals.centre(known) == pytest.approx(measured.mean())
    assert not known.sd.any()


@pytest.fixture(scope="module")
def challenge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dream")
    write_dream(folder, 1, 600, 1)
    table = pd.read_csv(folder / MEASURED, sep="\t", header=None)
    for seed in (1, 2):
        noisy = table.assign(value=10 + 3 * table[1] + np.random.default_rng(seed).normal(size=len(table)))
        noisy[[0, "value"]].to_csv(folder / f"seed{seed}.tsv", sep="\t", header=False, index=False)
    return folder


def test_the_test_set_is_covered_subset_by_subset(challenge):
    files = {("danq", str(seed)): challenge / f"seed{seed}.tsv" for seed in (1, 2)}
    tables = scored_tables(
        files, challenge / MEASURED, [challenge / "test_subset_ids"], [challenge / "public_leaderboard_ids"]
    )
    coverage = tables["coverage"]
    assert set(coverage["calibrated_on"]) == {"all public rows", "public random rows"}
    assert set(coverage["width"]) == {*WIDTHS}
    chosen = coverage[(coverage["calibrated_on"] == "all public rows") & (coverage["subset"] == "all")]
    assert (chosen["real"] - chosen["nominal"]).abs().max() < 0.12
    assert coverage["real"].between(coverage["low"] - 1e-9, coverage["high"] + 1e-9).all()
    effects = tables["effects"].set_index("subset")
    assert set(effects.index) == {"SNVs", "motif_perturbation", "motif_tiling"}
    assert (effects["models"] == 2).all()
    assert effects.loc["motif_tiling", "pearson"] > 0.5
    assert (effects["sd"] > 0).all()


def test_mutants_are_compared_with_what_was_mutated(tmp_path):
    write_vaishnav(tmp_path, 3, 3, 30, 1)
    models = {str(seed): tiny("danq", seed=seed, length=100) for seed in (1, 2)}
    (row,) = drift_table(models, tmp_path / DRIFT).itertuples()
    table, _ = evaluation_table("drift", tmp_path / DRIFT, None, None, FLANKS)
    mutants = table[table["role"] == "row"]
    origins = table.loc[mutants["reference"]]
    each = [
        model.predict(list(mutants["sequence"])) - model.predict(list(origins["sequence"])) for model in models.values()
    ]
    measured = mutants["expression"].to_numpy() - origins["expression"].to_numpy()
    assert (row.subset, row.n, row.models) == ("drift", 30, 2)
    assert row.pearson == pytest.approx(np.corrcoef(np.mean(each, axis=0)[:, 0], measured)[0, 1], abs=1e-4)
    with pytest.raises(InputError, match="found no mutants whose origin is known"):
        drift_table(models, tmp_path / RANDOM)


def test_mutants_and_models_come_together(proformer, challenge, tmp_path):
    done = proformer("explain-scored", "--predictions", challenge / "seed1.tsv", "--names", "danq:1", "--truth",
                     challenge / MEASURED, "--subsets", challenge / "test_subset_ids", "--leaderboard",
                     challenge / "public_leaderboard_ids", "--drift", challenge / MEASURED,
                     "--out", tmp_path)  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "0 --models, expected both or neither" in done.stderr


def test_intervals_of_tables(proformer, tmp_path):
    random = np.random.default_rng(0)
    names = ["".join(random.choice(list("ACGT"), 20)) for _ in range(120)]
    truth = random.normal(size=120)
    for part, there in (("v", slice(0, 100)), ("p", slice(100, 120))):
        for seed in (1, 2):
            values = truth[there] + 0.1 * random.normal(size=len(truth[there]))
            table = pd.DataFrame({"name": range(len(values)), "sequence": names[there], "prediction": values})
            table.to_csv(tmp_path / f"{part}{seed}.tsv", sep="\t", index=False)
    (tmp_path / "m.txt").write_text(
        "".join(f"{name}\t{value}\n" for name, value in zip(names[:100], truth[:100], strict=True))
    )
    given = ("--calibration", tmp_path / "v1.tsv", tmp_path / "v2.tsv", "--measured", tmp_path / "m.txt",
             "--out", tmp_path / "i.tsv")  # fmt: skip
    done = proformer("intervals", "--predictions", tmp_path / "p1.tsv", tmp_path / "p2.tsv", *given)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "i.tsv", sep="\t")
    held = (table["low"] <= truth[100:]) & (truth[100:] <= table["high"])
    assert held.mean() > 0.7
    assert (table["sd"] > 0).all()
    done = proformer("intervals", "--predictions", tmp_path / "p1.tsv", *given)
    assert done.returncode == 2
    assert "found 2 tables, expected one for each of 1" in done.stderr
