"""Predictions of the DREAM test set from elsewhere: real submissions, tables of columns, and what is refused."""

from __future__ import annotations

import json
import os
import re
from importlib import resources
from pathlib import Path

import pytest

from proformer.errors import InputError
from proformer.evaluation.dream import PARTIAL, SCORE, WEIGHTS, read_benchmark, score_table
from proformer.evaluation.submissions import predictions_of
from proformer.files import read_table
from proformer.planning.configuration import read_configuration
from proformer.simulate.dream import write_dream
from proformer.workflow import commands, finals
from proformer.workflow.results import Results

MIRROR = os.environ.get("PROFORMER_MIRROR")
TRUTH = "filtered_test_data_with_MAUDE_expression.txt"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("dream")
    write_dream(path, train=1, test=200, seed=3)
    return path


def test_a_column_of_a_table_becomes_a_file_of_the_challenge(tmp_path, proformer):
    table, out = tmp_path / "both.csv", tmp_path / "b.txt"
    table.write_text("seq,true_expr,other\nACGT,0.1234567890123,1\nACGA,-2,2.50\n")
    assert proformer("extract", "--table", table, "--column", "other", "--out", out).returncode == 0
    assert out.read_text() == "ACGT\t1\nACGA\t2.50\n"
    for column, message in (("othr", "no column 'othr'; did you mean 'other'?"), ("true_expr", "found 'x'")):
        table.write_text(table.read_text().replace("-2", "x"))
        result = proformer("extract", "--table", table, "--column", column, "--out", tmp_path / "never.txt")
        assert (result.returncode, result.stderr.count("\n")) == (2, 1)
        assert message in result.stderr
        assert not (tmp_path / "never.txt").exists()


def row_of(number: int, value: object):
    return lambda lines: [*lines[:number], f"{lines[number].split()[0]}\t{value}", *lines[number + 1 :]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "found no prediction for row 199 of the test set"),
        (lambda lines: [*lines, lines[0]], r"line 201: found [ACGT]+ again \(line 1\), expected each sequence once"),
        (row_of(5, "nan"), "line 6: found 'nan', expected a finite number"),
        (row_of(5, "inf"), "line 6: found 'inf', expected a finite number"),
        (lambda lines: [*lines[:3], "ACGT\t1", *lines[4:]], "line 4: found ACGT, a sequence without a row"),
        (lambda lines: [*lines, "ACGT\t1"], "line 201: found ACGT, a sequence without a row in the test set"),
        (lambda lines: [json.dumps({row: 0.5 for row in range(200) if row != 7})], "no prediction for row 7 of the"),
        (lambda lines: [json.dumps({row: 0.5 for row in range(201)})], "row 200: found a row outside the test set"),
        (lambda lines: ['{"0": 1, "0": 2}'], "found row 0 twice"),
        (lambda lines: ['{"0": 1, "1": NaN}'], "row 1: found the prediction nan, expected a finite number"),
    ],
)
def test_a_wrong_submission_is_one_line(folder, tmp_path, proformer, change, message):
    path = tmp_path / "submission.txt"
    path.write_text("\n".join(change((folder / TRUTH).read_text().splitlines())) + "\n")
    files = ["--truth", folder / TRUTH, "--subsets", folder / "test_subset_ids"]
    files += ["--leaderboard", folder / "public_leaderboard_ids", "--out", tmp_path / "never.tsv"]
    result = proformer("score", "--predictions", path, "--part", "all", *files)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert re.search(f"{path}.*{message}", result.stderr)
    assert not (tmp_path / "never.tsv").exists()


def test_a_truth_that_disagrees_with_the_leaderboard_is_refused(folder, tmp_path):
    ground = json.loads((folder / "public_leaderboard_ids/ground.json").read_text())
    row = int(next(iter(ground)))
    lines = (folder / TRUTH).read_text().splitlines()
    lines[row] = lines[row].split("\t")[0] + "\t99.5"
    (tmp_path / "truth.txt").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=rf"json: found .* for row {row}, expected 99.5 as in the test file"):
        read_benchmark("all", tmp_path / "truth.txt", [folder / "test_subset_ids"], [folder / "public_leaderboard_ids"])


def results_of(root: Path, tmp_path: Path, overlay: str) -> Results:
    (tmp_path / "overlay.yaml").write_text(overlay)
    return Results(read_configuration([tmp_path / "overlay.yaml"], root)[0], root)


def test_submissions_and_parts_of_a_configuration(root, tmp_path):
    (tmp_path / "a.json").touch()
    mine = f"{{mine: {tmp_path}/a.json, second measurement: null, table: 'dream-test-measured:mini_model_expr'}}"
    results = results_of(root, tmp_path, f"datasets: {{dream: {{part: [all, private], submissions: {mine}}}}}")
    assert results.parts("dream") == ["all", "private"]
    column = "results/data/columns/dream-test-measured/mini_model_expr.txt"
    assert results.submissions("dream") == {"mine": f"{tmp_path}/a.json", "table": column}
    assert results.tables_of_columns == {"dream-test-measured": "dream-test-measured"}
    assert [*finals.scored_files(results, "dream")][-2:] == ["mine", "table"]
    assert ("test", "dream") in results.near
    wrong = "datasets: {dream: {submissions: {mine: dream-submission-autosom}}}"
    with pytest.raises(InputError, match="did you mean 'dream-submission-autosome'"):
        results_of(root, tmp_path, wrong)
    with pytest.raises(InputError, match="unknown key 'submission'"):
        results_of(root, tmp_path, "datasets: {dream: {submission: {}}}")


def test_models_of_both_media_are_compared_with_sets_of_either(root, tmp_path):
    both = "{train: simulated/train_sequences.txt, medium: both}"
    overlay = f"datasets: {{both: {both}}}\nevaluations: {{native: {{datasets: [complex, both]}}}}\n"
    overlay += "runs: {proformer: {datasets: [complex, both]}}"
    results = results_of(root, tmp_path, overlay)
    named = [name for name in results.evaluation_models("native") if name.startswith("proformer")]
    assert named == ["proformer:1", "proformer-both:1"]
    assert "--medium" not in commands.prepare_options(results.datasets["both"])


def mirrored(name: str) -> Path:
    return next(Path(str(MIRROR)).glob(f"raw.githubusercontent.com/{name}"))


@pytest.mark.skipif(not MIRROR, reason="PROFORMER_MIRROR is not set: no real files at hand")
def test_real_submissions_have_their_published_scores(tmp_path, proformer):
    table = mirrored("Bornelov-lab/*/*/manuscript_figures/Figure_3_S3/data/data_scatter_O_Mi.csv.gz")
    for column in ("true_expr", "orig_model_expr"):
        out = tmp_path / f"{column}.txt"
        assert proformer("extract", "--table", table, "--column", column, "--out", out).returncode == 0
    data = mirrored("de-Boer-Lab/*/*/data")
    tables = [path for path in (data / "test_subset_ids").iterdir() if path.suffix == ".csv"]
    files = {"autosome.org": mirrored("autosome-ru/dream2022/*/submission/results.json")}
    files["Camformers"] = tmp_path / "orig_model_expr.txt"
    benchmark = read_benchmark("private", tmp_path / "true_expr.txt", tables, [data / "public_leaderboard_ids"])
    assert len(benchmark.subsets["all"]) == 62_058
    found = score_table(*predictions_of(files, benchmark)).set_index(["model", "subset", "measure"])["value"]
    printed = read_table(str(resources.files("proformer.evaluation") / "published/challenge.tsv"))
    printed = printed[(printed["model"] == "autosome.org") & printed["subset"].isin({*WEIGHTS} - {"SNVs"})]
    assert len(printed) == 16
    for _, subset, measure, value in printed[["model", "subset", "measure", "value"]].itertuples(index=False):
        assert found["autosome.org", subset, measure] == pytest.approx(value, abs=0.5e-4), (subset, measure)
    assert ("autosome.org", PARTIAL, "pearson_score") in found  # never taken for the score of all subsets
    public = read_benchmark("public", tmp_path / "true_expr.txt", tables, [data / "public_leaderboard_ids"])
    whole = score_table(*predictions_of({"a": files["autosome.org"]}, public)).set_index(["subset", "measure"])["value"]
    # With the leaderboard's own SNV pairs, the score is whole, as it was published.
    assert whole[SCORE, "pearson_score"] == pytest.approx(0.829, abs=0.5e-3)
    assert whole[SCORE, "spearman_score"] == pytest.approx(0.860, abs=0.5e-3)
    assert found["Camformers", "all", "pearson"] == pytest.approx(0.957, abs=0.5e-3)
    assert found["Camformers", "all", "spearman"] == pytest.approx(0.963, abs=0.5e-3)
