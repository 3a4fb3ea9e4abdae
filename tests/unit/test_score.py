from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from proformer.errors import InputError
from proformer.evaluation import bootstrap
from proformer.evaluation.density import density_table
from proformer.evaluation.dream import PARTIAL, PARTS, SCORE, WEIGHTS, Benchmark, read_benchmark, score_table
from proformer.evaluation.dream_files import ALL, LEADERBOARD, PAIRS, SINGLES, TABLES
from proformer.evaluation.submissions import in_test_order, predictions_of, read_submission
from proformer.files import read_table
from proformer.simulate.dream import write_dream

TRUTH = "filtered_test_data_with_MAUDE_expression.txt"
MIRROR = os.environ.get("PROFORMER_MIRROR")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("dream")
    write_dream(path, train=1, test=1500, seed=3)
    return path


@pytest.fixture(scope="module")
def truth(folder) -> list[tuple[str, float]]:
    with open(folder / TRUTH) as handle:
        return [(sequence, float(value)) for sequence, value in csv.reader(handle, delimiter="\t")]


@pytest.fixture(scope="module")
def values(truth) -> np.ndarray:
    """Predictions with noise, rounded so that many are equal."""
    measured = np.array([value for _, value in truth])
    return np.round(11 + 2 * measured + np.random.default_rng(0).normal(size=len(measured)), 1)


def benchmark_of(folder: Path, part: str = "private", **changes) -> Benchmark:
    paths = {
        "truth": folder / TRUTH,
        "subsets": [folder / "test_subset_ids"],
        "leaderboard": [folder / "public_leaderboard_ids"],
    }
    return read_benchmark(part, **(paths | changes))


def official(folder: Path, predicted, part: str) -> dict[str, float]:
    """The challenge's scorer read plainly: lists and loops over its files. `predicted` and the truth by row."""
    measured = {}
    for row, line in enumerate((folder / TRUTH).read_text().splitlines()):
        measured[row] = float(line.split("\t")[1])
    singles, pairs, public_singles, public_pairs = {}, {}, {}, {}
    for name, stem in TABLES.items():
        with open(folder / "test_subset_ids" / f"{stem}.csv") as handle:
            table = list(csv.DictReader(handle))
        if name in SINGLES:
            singles[name] = {int(line["pos"]) for line in table}
        else:
            pairs[name] = {(int(line["alt_pos"]), int(line["ref_pos"])) for line in table}
        keys = json.loads((folder / "public_leaderboard_ids" / f"{LEADERBOARD[name]}.json").read_text())
        if name in SINGLES:
            public_singles[name] = [int(key) for key in keys]
        else:
            public_pairs[name] = [tuple(int(row) for row in key.split(",")) for key in keys]
    shown = {row for rows in public_singles.values() for row in rows}
    shown |= {row for found in public_pairs.values() for pair in found for row in pair}
    shown_pairs = [pair for found in public_pairs.values() for pair in found]
    everything = list(measured)
    if part == "private":
        singles = {name: [row for row in rows if row not in shown] for name, rows in singles.items()}
        pairs = {name: [pair for pair in found if pair not in shown_pairs] for name, found in pairs.items()}
        everything = [row for row in everything if row not in shown]
    elif part == "public":
        singles, pairs, everything = public_singles, public_pairs, list(shown)

    found = {}
    for name, rows in {"all": everything, **singles}.items():
        x, y = [measured[row] for row in rows], [predicted[row] for row in rows]
        found[name] = (stats.pearsonr(x, y)[0], stats.spearmanr(x, y)[0])
    for name, both in pairs.items():
        x, y = [], []
        for ref, alt in both:  # the official order: unpacked the other way round
            x.append(measured[alt] - measured[ref])
            y.append(predicted[alt] - predicted[ref])
        found[name] = (stats.pearsonr(x, y)[0], stats.spearmanr(x, y)[0])
    w = {"all": 1, "high": 0.3, "low": 0.3, "yeast": 0.3, "random": 0.3, "challenging": 0.5}
    w |= {"SNVs": 1.25, "motif_perturbation": 0.3, "motif_tiling": 0.4}
    result = {f"{name} pearson": r for name, (r, _) in found.items()}
    result |= {f"{name} spearman": rho for name, (_, rho) in found.items()}
    result["score pearson_score"] = sum(w[name] * r**2 for name, (r, _) in found.items()) / 4.65
    result["score spearman_score"] = sum(w[name] * rho for name, (_, rho) in found.items()) / 4.65
    return result


def flat(table: pd.DataFrame) -> dict[str, float]:
    return {f"{row.subset} {row.measure}": row.value for row in table.itertuples() if row.measure != "r2"}


@pytest.mark.parametrize("part", PARTS)
def test_every_number_is_that_of_the_official_scorer(folder, values, part):
    found = flat(score_table(benchmark_of(folder, part), {"model": values}))
    expected = official(folder, values, part)
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, abs=1e-9)


def test_positions_and_pairs_listed_twice_count_once(folder, values, tmp_path):
    lines = (folder / "test_subset_ids" / "yeast_seqs.csv").read_text().splitlines()
    pos = [line.split(",")[3] for line in lines[1:]]
    assert len(set(pos)) < len(pos)  # the simulator lists some twice, as published
    assert len(benchmark_of(folder, "all").subsets["yeast"]) == len(set(pos))
    for path in (folder / "test_subset_ids").iterdir():
        (tmp_path / path.name).write_text(path.read_text())
    tiling = tmp_path / "motif_tiling_seqs.csv"
    tiling.write_text(tiling.read_text() + tiling.read_text().splitlines()[-1] + "\n")
    twice = benchmark_of(folder, "all", subsets=[tmp_path])
    assert len(twice.subsets["motif_tiling"]) == len(benchmark_of(folder, "all").subsets["motif_tiling"])


def test_a_missing_subset_is_named_and_the_score_labelled(folder, values):
    tables = [folder / "test_subset_ids" / f"{stem}.csv" for name, stem in TABLES.items() if name != "SNVs"]
    table = score_table(benchmark_of(folder, subsets=tables), {"model": values})
    assert SCORE not in set(table["subset"])
    scores = table[table["subset"] == PARTIAL].set_index("measure")
    assert scores["note"].str.contains(r"weights 3.4 of 4.65; missing: SNVs \(no all_SNVs_seqs.csv\)").all()
    whole = official(folder, values, "private")
    r2 = sum(weight * whole[f"{name} pearson"] ** 2 for name, weight in WEIGHTS.items() if name != "SNVs") / 3.4
    assert scores.loc["pearson_score", "value"] == pytest.approx(r2, abs=1e-9)
    snvs = table[table["subset"] == "SNVs"]
    assert snvs["value"].isna().all()
    assert set(snvs["note"]) == {"missing: no all_SNVs_seqs.csv"}


def test_the_public_part_needs_no_truth_file(folder, values):
    alone = score_table(benchmark_of(folder, "public", truth=None, subsets=[]), {"model": values})
    assert flat(alone) == pytest.approx(official(folder, values, "public"), abs=1e-9)


def test_a_whole_table_is_read_by_row_where_only_some_sequences_are_known(folder, truth, values, tmp_path):
    tables = [folder / "test_subset_ids" / f"{stem}.csv" for name, stem in TABLES.items() if name != "SNVs"]
    benchmark = benchmark_of(folder, "public", truth=None, subsets=tables)
    assert len(benchmark.sequences) < len(truth)
    path = write_predictions(tmp_path / "p", truth, values, "table")
    covered, found = predictions_of({"m": path}, benchmark)
    assert not covered.missing  # the SNVs are scored although their sequences are not known
    assert flat(score_table(covered, found)) == pytest.approx(official(folder, values, "public"), abs=1e-9)


def test_constant_predictions_have_no_correlation_and_no_score(folder, values):
    benchmark = benchmark_of(folder)
    some = values.copy()
    some[benchmark.subsets["yeast"]] = 3.7
    table = score_table(benchmark, {"some": some, "none": np.full_like(values, 0.1)})
    yeast = table[(table["model"] == "some") & (table["subset"] == "yeast")]
    assert yeast["value"].isna().all()
    assert set(yeast["note"]) == {"undefined: constant predictions"}
    scores = table[(table["model"] == "some") & (table["subset"] == SCORE)]
    assert scores["value"].isna().all()
    assert set(scores["note"]) == {"undefined: no correlation in yeast"}
    assert table[(table["model"] == "some") & (table["subset"] == ALL)]["value"].notna().all()
    assert table[table["model"] == "none"]["value"].isna().all()
    resampled = bootstrap.resample(benchmark, {"some": some, "good": values}, samples=60)
    numbers = bootstrap.with_intervals(table[table["model"] == "some"], resampled)
    assert numbers.set_index("subset").loc["yeast", ["low", "high"]].isna().all(axis=None)
    assert bootstrap.rank_table(resampled)["model"].tolist() == ["good", "some"]


# Files of predictions


def write_predictions(path: Path, truth, values, form: str) -> Path:
    rows = [(sequence, value) for (sequence, _), value in zip(truth, values, strict=True)]
    if form == "json":
        text = json.dumps({str(row): value for row, (_, value) in enumerate(rows)})
    elif form == "tsv":
        text = "".join(f"{sequence}\t{value}\n" for sequence, value in rows)
    else:
        text = "name\tsequence\tprediction\n" + "".join(f"x{i}\t{s}\t{v}\n" for i, (s, v) in enumerate(rows))
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("form", ["json", "tsv", "table"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_formats_of_predictions(folder, truth, values, tmp_path, form, suffix):
    path = write_predictions(tmp_path / f"p{suffix}", truth, values, form)
    np.testing.assert_array_equal(in_test_order(read_submission(path), benchmark_of(folder)), values)


@pytest.mark.parametrize("form", ["json", "tsv", "table"])
def test_rows_in_any_order_are_matched_by_sequence(folder, truth, values, tmp_path, form):
    order = np.random.default_rng(1).permutation(len(truth))
    if form == "json":
        path = tmp_path / "p.json"
        path.write_text(json.dumps({str(row): values[row] for row in order.tolist()}))
    else:
        path = write_predictions(tmp_path / "p", [truth[i] for i in order], values[order], form)
    np.testing.assert_array_equal(in_test_order(read_submission(path), benchmark_of(folder)), values)


def edited(lines: list[str], edit: str) -> list[str]:
    sequence, value = lines[7].split("\t")
    return {
        "missing": lines[:7] + lines[8:],
        "doubled": [*lines, lines[7]],
        "extra": [*lines, f"ACGT{sequence[4:]}\t1.0"],
        "nan": [*lines[:7], f"{sequence}\tnan", *lines[8:]],
        "text": [*lines[:7], f"{sequence}\thigh", *lines[8:]],
        "another": [*lines[:7], f"{sequence[:-1]}A\t{value}", *lines[8:]],
    }[edit]


@pytest.mark.parametrize("form", ["tsv", "table"])
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ("missing", "found no prediction for row 7 of the test set"),
        ("doubled", r"line 150\d: found [ACGT]+ again \(line [89]\)"),
        ("extra", r"line 150\d: found ACGT[ACGT]+, a sequence without a row in the test set"),
        ("nan", r"line [89]: found 'nan'"),
        ("text", r"line [89]: found 'high', expected a finite number"),
        ("another", r"line [89]: found [ACGT]+A, a sequence without a row"),
    ],
)
def test_bad_rows_of_predictions(folder, truth, values, tmp_path, form, edit, message):
    path = write_predictions(tmp_path / "p", truth, values, "tsv")
    lines = edited(path.read_text().splitlines(), edit)
    if form == "table":
        lines = ["sequence\tprediction", *lines]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=message):
        predictions_of({"m": path}, benchmark_of(folder, "all"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"0": 1.0, "0": 2.0}', "found row 0 twice"),
        ('{"0": NaN}', "row 0: found the prediction nan"),
        ('{"0": "1"}', "found '0': '1'"),
        ('{"first": 1}', "found 'first': 1"),
        ('{"0": 1.0, "1500": 2.0}', "row 1500: found a row outside the test set, expected 0 to 1499"),
        ('{"0": 1.0', "found no JSON"),
        ("{}", "found no predictions"),
        ('{"0": 1.0}', "found no prediction for row 1 and 1498 more of the test set"),
    ],
)
def test_bad_json(folder, tmp_path, text, message):
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        predictions_of({"m": path}, benchmark_of(folder, "all"))


def test_partial_predictions_leave_subsets_out_by_name(folder, truth, values, tmp_path):
    benchmark = benchmark_of(folder)
    rows = benchmark.subsets["high"][1:].tolist() + benchmark.subsets["low"].tolist()
    path = write_predictions(tmp_path / "p", [truth[row] for row in rows], values[rows], "tsv")
    with pytest.raises(InputError, match="found no prediction"):
        predictions_of({"m": path}, benchmark)
    covered, found = predictions_of({"m": path}, benchmark, partial=True)
    assert list(covered.subsets) == ["low"]
    assert covered.missing["high"] == f"1 of its {len(benchmark.subsets['high'])} rows have no prediction"
    table = score_table(covered, found)
    assert table["value"].notna().sum() == 5


# Files of the challenge


def changed(folder: Path, tmp_path: Path, name: str, change) -> list[Path]:
    table = pd.read_csv(folder / "test_subset_ids" / f"{name}.csv", index_col=0)
    change(table)
    table.to_csv(tmp_path / f"{name}.csv")
    return [tmp_path / f"{name}.csv"]


def outside(table: pd.DataFrame) -> None:
    table.loc[table.index[3], "pos"] = 1500


def another_sequence(table: pd.DataFrame) -> None:
    positions = pd.concat([table["alt_pos"], table["ref_pos"]])
    once = table["alt_pos"].map(positions.value_counts()) == 1  # else the table would contradict itself
    table.loc[table.index[once][0], "alt_sequence"] = "ACGT"


def no_number(table: pd.DataFrame) -> None:
    table["pos"] = table["pos"].astype(object)
    table.loc[table.index[3], "pos"] = "x"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("yeast_seqs", outside, "yeast_seqs.csv, line 5: found row 1500, expected a row of the test file, 0 to 1499"),
        ("all_SNVs_seqs", another_sequence, r"all_SNVs_seqs.csv, line \d+: found ACGT for row \d+, expected TGC"),
        ("yeast_seqs", no_number, "yeast_seqs.csv, line 5: found 'x' and .* expected a row number and its sequence"),
        ("yeast_seqs", lambda table: table.pop("pos"), "found no column pos"),
    ],
)
def test_bad_tables_of_subsets(folder, tmp_path, name, change, message):
    with pytest.raises(InputError, match=message):
        benchmark_of(folder, subsets=changed(folder, tmp_path, name, change))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"1500": 1.0}', "found row 1500, expected a row of the test file"),
        ('{"0": 99.0}', "found 99.0 for row 0, expected"),
        ('{"0,1": [1.0, 2.0]}', 'expected "row": value'),
        ("[]", "found no rows"),
        ("", "found no JSON"),
    ],
)
def test_bad_leaderboard(folder, tmp_path, text, message):
    (tmp_path / "yeast_exp_indices.json").write_text(text)
    with pytest.raises(InputError, match=message):
        benchmark_of(folder, leaderboard=[tmp_path])


def test_the_private_part_needs_the_whole_leaderboard(folder):
    files = [folder / "public_leaderboard_ids" / "yeast_exp_indices.json"]
    with pytest.raises(InputError, match=r"found no high_exp_indices.json, .*SNVs_exp_indices.json"):
        benchmark_of(folder, leaderboard=files)
    with pytest.raises(InputError, match="found no file of measured values"):
        benchmark_of(folder, "all", truth=None)
    with pytest.raises(InputError, match="no such file or folder"):
        benchmark_of(folder, subsets=[folder / "nowhere"])
    with pytest.raises(InputError, match="unknown name"):
        benchmark_of(folder, subsets=[folder / TRUTH])


# The bootstrap


def test_samples_hold_a_tenth_of_each_subset_and_subsets_share_rows(folder, values):
    benchmark = benchmark_of(folder)
    groups = list(bootstrap._groups(benchmark, np.stack([benchmark.truth, values]), 0.1))
    assert [len(group.subsets) for group in groups] == [6, 1, 1, 1]
    names = list(benchmark.subsets)
    for group in groups:
        for place, columns in group.subsets:
            n = len(benchmark.subsets[names[place]])
            assert len(columns) == pytest.approx(n / 10, abs=3.1)
    places = dict(groups[0].subsets)
    high = places[names.index("high")]
    assert set(high) < set(places[names.index(ALL)])
    units = np.concatenate([np.repeat(i, size) for i, (_, size) in enumerate(groups[0].strata)])
    assert len(set(units[high])) == 1  # one stratum


def test_bootstrap_agrees_with_a_plain_loop(folder, values):
    benchmark, random = benchmark_of(folder), np.random.default_rng(5)
    other = values + random.normal(size=len(values))
    models = {"a": values, "b": other}
    resampled = bootstrap.resample(benchmark, models, samples=1500, threads=1)
    for subset in ("random", "motif_tiling"):
        rows = benchmark.subsets[subset]
        truth, predicted = benchmark.values(subset, benchmark.truth), benchmark.values(subset, other)
        plain = []
        for _ in range(1500):
            chosen = random.choice(len(rows), max(3, round(len(rows) / 10)), replace=False)
            r = stats.pearsonr(truth[chosen], predicted[chosen])[0]
            plain.append((r, stats.spearmanr(truth[chosen], predicted[chosen])[0]))
        for i, measure in enumerate(("pearson", "spearman")):
            x, y = resampled.draws(subset, measure)[:, 1], np.array(plain)[:, i]
            assert stats.ks_2samp(x, y).pvalue > 1e-4
    again = bootstrap.resample(benchmark, models, samples=120, threads=2)
    np.testing.assert_array_equal(again.found, resampled.found[:120])  # neither threads nor the number matter
    reseeded = bootstrap.resample(benchmark, models, samples=120, seed=2)
    assert not np.array_equal(reseeded.found, again.found)


def test_ranks_and_differences(folder, values):
    benchmark, random = benchmark_of(folder), np.random.default_rng(5)
    models = {"worse": values + 3 * random.normal(size=len(values)), "better": values, "twin": values}
    resampled = bootstrap.resample(benchmark, models, samples=200)
    ranks = bootstrap.rank_table(resampled).set_index("model")
    assert ranks["place"].to_dict() == {"better": 1, "twin": 1, "worse": 3}
    assert ranks.loc["better", "rank"] == ranks.loc["twin", "rank"] >= 1.5
    table = bootstrap.with_intervals(score_table(benchmark, models), resampled)
    assert (table["low"] < table["value"]).all()
    assert (table["high"] > table["value"]).all()
    assert (table["sample_high"] - table["sample_low"] > 2 * (table["high"] - table["low"])).mean() > 0.8
    differences = bootstrap.difference_table(table, resampled)
    assert set(differences["subset"]) == {SCORE, ALL}
    differences = differences.set_index(["model_a", "model_b", "measure"])
    row = differences.loc[("worse", "better", "pearson_score")]
    values_of = table[table["measure"] == "pearson_score"].set_index("model")["value"]
    assert row["difference"] == pytest.approx(values_of["worse"] - values_of["better"])
    assert row["high"] < 0
    assert row["a_better"] < 0.05
    twins = differences.loc[("better", "twin", "spearman")]
    assert (twins[["difference", "low", "high", "a_better"]] == 0).all()


def test_intervals_hold_the_truth_as_often_as_they_say():
    random, rho, n, held = np.random.default_rng(0), 0.6, 400, 0
    for _ in range(200):
        x = random.normal(size=n)
        y = rho * x + np.sqrt(1 - rho**2) * random.normal(size=n)
        missing = {name: "not here" for name in WEIGHTS if name != ALL}
        benchmark = Benchmark("all", x, {ALL: np.arange(n)}, missing, {}, True)
        resampled = bootstrap.resample(benchmark, {"m": y}, samples=300, threads=1)
        table = bootstrap.with_intervals(score_table(benchmark, {"m": y}), resampled)
        row = table[(table["subset"] == ALL) & (table["measure"] == "pearson")].iloc[0]
        held += row["low"] < rho < row["high"]
    assert 0.90 <= held / 200 <= 0.99


def test_impossible_bootstraps(folder, values):
    for words in ({"samples": 0}, {"fraction": 1.0}, {"fraction": 0.0}, {"seed": -1}):
        with pytest.raises(InputError, match="bootstrap: found"):
            bootstrap.resample(benchmark_of(folder), {"m": values}, **({"samples": 10} | words))


def test_density_counts_every_row_once(folder, values):
    benchmark = benchmark_of(folder)
    table = density_table(benchmark, {"m": values})
    counts = table.groupby("subset")["count"].sum()
    assert counts.to_dict() == {name: len(rows) for name, rows in benchmark.subsets.items()}


# The command line


def test_score_verb(folder, truth, values, tmp_path, proformer):
    a = write_predictions(tmp_path / "a.json", truth, values, "json")
    b = write_predictions(tmp_path / "b.tsv.gz", truth, values + np.arange(len(values)) % 7, "table")
    files = ["--truth", folder / TRUTH, "--subsets", folder / "test_subset_ids"]
    files += ["--leaderboard", folder / "public_leaderboard_ids", "--samples", 100]
    outputs = ["--out", tmp_path / "s.tsv", "--tables", tmp_path / "tables"]
    result = proformer("score", "--predictions", a, b, *files, *outputs)
    assert result.returncode == 0, result.stderr
    table = read_table(tmp_path / "s.tsv")
    assert flat(table[table["model"] == "a"]) == pytest.approx(official(folder, values, "private"), abs=1e-9)
    assert read_table(tmp_path / "tables/ranks.tsv")["model"].tolist() == ["a", "b"]
    pearson = table[(table["model"] == "a") & (table["measure"] == "pearson_score")]["value"].iloc[0]
    assert f"Pearson score: {pearson:.4f}" in result.stdout
    assert len(read_table(tmp_path / "tables/differences.tsv")) == 5

    before = sorted(tmp_path.iterdir())
    a.write_text('{"0": 1.0}')
    result = proformer("score", "--predictions", a, *files, "--out", tmp_path / "never.tsv")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert f"{a}: found no prediction for row" in result.stderr
    assert sorted(tmp_path.iterdir()) == before
    result = proformer("score", "--predictions", b, b, *files)
    assert result.returncode == 2
    assert "expected a different one for each file" in result.stderr


# Real files


@pytest.mark.skipif(not MIRROR, reason="PROFORMER_MIRROR is not set: no real files at hand")
def test_real_public_part(tmp_path):
    data = next(Path(str(MIRROR)).glob("raw.githubusercontent.com/de-Boer-Lab/*/*/data"))
    subsets, leaderboard = [data / "test_subset_ids"], [data / "public_leaderboard_ids"]
    benchmark = read_benchmark("public", None, subsets, leaderboard)
    sizes = {"all": 9045, "high": 96, "low": 99, "yeast": 208, "random": 733, "challenging": 195}
    sizes |= {"SNVs": 4670, "motif_perturbation": 328, "motif_tiling": 263}
    assert {name: len(rows) for name, rows in benchmark.subsets.items()} == sizes
    assert not benchmark.missing
    ground = json.loads((data / "public_leaderboard_ids" / "ground.json").read_text())
    noise = np.random.default_rng(0).normal(size=71103)
    predicted = {row: ground.get(str(row), 0.0) + noise[row] for row in range(71103)}

    # Plainly, from the leaderboard files alone.
    expected = {}
    for name in WEIGHTS:
        content = (
            ground
            if name == ALL
            else json.loads((data / f"public_leaderboard_ids/{LEADERBOARD[name]}.json").read_text())
        )
        x, y = [], []
        for key, measured in content.items():
            rows = [int(row) for row in key.split(",")]
            x.append(measured[0] - measured[1] if name in PAIRS else measured)
            y.append(predicted[rows[0]] - predicted[rows[1]] if name in PAIRS else predicted[rows[0]])
        expected[f"{name} pearson"], expected[f"{name} spearman"] = stats.pearsonr(x, y)[0], stats.spearmanr(x, y)[0]
    path = tmp_path / "submission.json"
    path.write_text(json.dumps({str(row): value for row, value in predicted.items()}))
    found = flat(score_table(*predictions_of({"m": path}, benchmark)))
    score = sum(weight * expected[f"{name} pearson"] ** 2 for name, weight in WEIGHTS.items()) / 4.65
    assert found.pop("score pearson_score") == pytest.approx(score, abs=1e-9)
    found.pop("score spearman_score")
    assert found == pytest.approx(expected, abs=1e-9)

    # Sequences are known for all subsets but the SNVs: their score says so.
    known = {row: text for row, text in benchmark.sequences.items() if str(row) in ground}
    assert len(known) == 1921
    table = tmp_path / "by_sequence.tsv"
    table.write_text("".join(f"{text}\t{predicted[row]}\n" for row, text in known.items()))
    covered, values = predictions_of({"m": table}, benchmark, partial=True)
    assert set(covered.missing) == {ALL, "SNVs"}
    partial = score_table(covered, values)
    assert {PARTIAL} == set(partial[partial["measure"] == "pearson_score"]["subset"])
    kept = {key: value for key, value in flat(partial).items() if key in expected and not np.isnan(value)}
    assert kept == pytest.approx({key: expected[key] for key in kept}, abs=1e-9)
    assert len(kept) == 14
