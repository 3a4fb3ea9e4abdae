"""Cross-validation on other data: columns of folds, draws, averages within a fold, paired tests and claims."""

from __future__ import annotations

import json
import tarfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn import assert_no_two_texts_overlap, assert_nothing_is_cut
from scipy import stats

from proformer.datasets.parts import split
from proformer.datasets.prepare import Layout, prepare
from proformer.datasets.store import StoreWriter, open_store
from proformer.errors import InputError
from proformer.evaluation import PUBLISHED
from proformer.evaluation.claims_benchmarks import report_card
from proformer.evaluation.folds import COUNTS, PROFILE, paired_tests, score_folds, with_ceilings
from proformer.figures import benchmarks
from proformer.files import read_table, write_table
from proformer.planning.configuration import read_configuration
from proformer.points import folds_of, training_jobs
from proformer.predict import load
from proformer.sequences import decode, encode, reverse_complement
from proformer.simulate.benchmarks import CELLS, write_benchmarks
from proformer.tasks import Task
from proformer.training.run import train

ARMS = ["2L", "2R", "X"]
DREAM = ["dream-cnn", "dream-rnn", "dream-attn"]
SAMPLES = ("train", "val", "test")


def strands(number=60, length=30, seed=0):
    """Windows and their reverse complements, three arms in turn, with two labels a window."""
    random = np.random.default_rng(seed)
    forward = ["".join(row) for row in random.choice(list("ACGT"), (number, length))]
    labels, rows = random.normal(size=(number, 2)), []
    for place, sequence in enumerate(forward):
        for seen in (sequence, decode(reverse_complement(encode(sequence)))):
            rows.append({"Sequence": seen, "chrom": ARMS[place % 3], "dev": labels[place, 0], "hk": labels[place, 1]})
    return pd.DataFrame(rows)


@pytest.fixture
def store(tmp_path):
    strands().to_csv(tmp_path / "windows.tsv", sep="\t", index=False)
    out = tmp_path / "all.safetensors"
    prepare(tmp_path / "windows.tsv", out, Layout(length=30), targets=["dev", "hk"], split_by="chrom")
    return out


def parts_of(store, folder, **how):
    outs = [folder / f"{part}.safetensors" for part in ("train", "validation", "test")]
    split(store, outs, **how)
    return [open_store(out) for out in outs]


def test_arms_are_held_out_and_strands_stay_together(store, tmp_path):
    train, validation, test = parts_of(store, tmp_path, chromosomes=[[], ["2L"]], nested=(3, 1))
    assert test.target.shape == (40, 2, 1)
    assert test.task.names == ("dev", "hk")
    assert len(train) + len(validation) == 80
    groups = [set(part.columns["group"].tolist()) for part in (train, validation, test)]
    assert [len(group) * 2 for group in groups] == [len(part) for part in (train, validation, test)]
    assert not groups[0] & groups[1] | groups[1] & groups[2] | groups[0] & groups[2]


def test_nested_folds_are_disjoint_and_hold_all_that_is_left(store, tmp_path):
    held = [
        parts_of(store, tmp_path, chromosomes=[[], ["2L"]], nested=(3, k))[1].columns["group"].tolist()
        for k in range(3)
    ]
    assert len({*held[0], *held[1], *held[2]}) * 2 == sum(map(len, held)) == 80


def test_strands_in_two_folds_are_refused_and_counted(tmp_path):
    table = strands()
    table.loc[[1, 9], "chrom"] = ["X", "2L"]
    table.to_csv(tmp_path / "windows.tsv", sep="\t", index=False)
    store = tmp_path / "all.safetensors"
    prepare(tmp_path / "windows.tsv", store, Layout(length=30), targets=["dev", "hk"], split_by="chrom")
    names = [[], ["2R"], ["2L"]]
    with pytest.raises(
        InputError, match=r"found 2 sequences whose copy or other strand .* \(row 0 is the first, of 2L\)"
    ):
        parts_of(store, tmp_path, chromosomes=names, parted="error")
    assert sum(map(len, parts_of(store, tmp_path, chromosomes=names))) == 118


def test_a_fold_column_that_is_missing(tmp_path):
    strands(4).to_csv(tmp_path / "windows.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match=r"windows.tsv, line 1: no column 'fold'"):
        prepare(tmp_path / "windows.tsv", tmp_path / "a.safetensors", targets=["dev"], split_by="fold")
    (tmp_path / "plain.txt").write_text("ACGT\t1\n")
    with pytest.raises(InputError, match="found no header line, expected one that names fold"):
        prepare(tmp_path / "plain.txt", tmp_path / "a.safetensors", split_by="fold")


def test_an_empty_cell_of_the_fold_column(tmp_path):
    table = strands(4)
    table.loc[[2, 5], "chrom"] = ""
    table.to_csv(tmp_path / "windows.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match=r"windows.tsv, line 4: found an empty cell, expected the chromosome or fold"):
        prepare(tmp_path / "windows.tsv", tmp_path / "a.safetensors", targets=["dev"], split_by="chrom")


def test_stretches_of_a_table_with_starts_keep_strands_together(tmp_path):
    table = strands()
    table["start"] = 100 * (np.arange(120) // 2)
    table.to_csv(tmp_path / "windows.tsv", sep="\t", index=False)
    store = tmp_path / "all.safetensors"
    prepare(tmp_path / "windows.tsv", store, Layout(length=30), targets=["dev", "hk"], split_by="chrom")
    names = [[], ["1"], ["0"]]
    parts = parts_of(store, tmp_path, chromosomes=names, stretches=(1000, 4))
    fold = open_store(store).columns["start"] // 1000 + np.tile(np.repeat([0, 1, 2], 2), 20)
    assert [len(part) for part in parts] == [np.isin(fold % 4, folds).sum() for folds in ([2, 3], [1], [0])]
    groups = [set(part.columns["group"].tolist()) for part in parts]
    assert [2 * len(group) for group in groups] == [len(part) for part in parts]
    prepare(tmp_path / "windows.tsv", store, Layout(length=30), targets=["dev", "hk"])
    table.drop(columns="start").to_csv(tmp_path / "plain.tsv", sep="\t", index=False)
    prepare(tmp_path / "plain.tsv", store, Layout(length=30), targets=["dev", "hk"], split_by="chrom")
    with pytest.raises(InputError, match="found no starts of rows, expected a column `start`"):
        parts_of(store, tmp_path, chromosomes=names, stretches=(1000, 4))
    for files, message in (
        (("windows", "plain"), "plain.tsv: found no"),
        (("plain", "windows"), "windows.tsv: found a"),
    ):
        with pytest.raises(InputError, match=f"{message} column `start`, expected the columns of"):
            prepare([tmp_path / f"{name}.tsv" for name in files], store, targets=["dev"], split_by="chrom")
    table["start"] = table["start"] + 0.5
    table.to_csv(tmp_path / "windows.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match=r"windows.tsv, line 2: found the start '0.5', expected a whole number"):
        prepare(tmp_path / "windows.tsv", store, targets=["dev"], split_by="chrom")


def test_rows_that_stood_above_are_left_out_and_counted(tmp_path, proformer):
    table, store = strands(6), tmp_path / "all.safetensors"
    other = pd.concat([table.iloc[[3, 3, 5]], table.iloc[[4]].assign(dev=0.5)])
    for name, part in (("a", table), ("b", other)):
        part.to_csv(tmp_path / f"{name}.tsv", sep="\t", index=False)
    words = ("prepare", "--sequences", tmp_path / "a.tsv", tmp_path / "b.tsv", "--targets", "dev", "hk", "--out", store)
    done = proformer(*words, "--split-by", "chrom", "--repeats", "drop", "--counts", tmp_path / "counts.tsv")
    assert done.returncode == 0, done.stderr
    counts = pd.read_csv(tmp_path / "counts.tsv", sep="\t").set_index(["file", "what"])["count"]
    assert [counts[file, what] for file in ("a.tsv", "b.tsv") for what in ("rows", "repeated", "kept")] == [
        12, 0, 12, 4, 3, 1
    ]  # fmt: skip
    assert len(open_store(store)) == 13
    assert proformer(*words).returncode == 0
    assert len(open_store(store)) == 16


def test_the_sample_of_enhancers_is_scored_on_a_tenth_of_its_windows(root, tmp_path, mirrored):
    files = [mirrored(f"*/de-Boer-Lab/*/*/benchmarks/drosophila/data/sample_{part}.txt") for part in SAMPLES]
    keys = read_configuration([root / "config/sample.yaml"], root)[0]["datasets"]["starrseq"]
    how = {name: keys[name] for name in ("targets", "split_by", "repeats")}
    counts = prepare(files, tmp_path / "all", Layout(length=249), **how)
    assert counts.query("what == 'kept'")["count"].sum() == 2969
    folds, (fold,) = keys["cross_validation"], folds_of(keys)
    stretches = (folds["block"], len(folds["test"]))
    parts = parts_of(
        tmp_path / "all", tmp_path, chromosomes=[[], fold.validation, fold.test], stretches=stretches, parted="error"
    )
    assert [len(part) for part in parts] == [2319, 330, 309]
    assert sum(len({*part.columns["group"].tolist()}) for part in parts) == sum(map(len, parts)) - 47


def test_fasta_beside_values_in_the_same_order(tmp_path):
    (tmp_path / "a.fa").write_text(">chr2L_1_4_+_x\nACGT\n>chrX_5_8_-_y\nGGCC\n")
    (tmp_path / "v.txt").write_text("Dev\tHk\tother\n1\t2\t9\n3\t4\t9\n")
    out = tmp_path / "a.safetensors"
    prepare(tmp_path / "a.fa", out, targets=["Dev", "Hk"], values=tmp_path / "v.txt", split_by="name")
    store = open_store(out)
    assert store.target[:, :, 0].tolist() == [[1, 2], [3, 4]]
    assert [store.meta["contigs"][place] for place in store.columns["contig"]] == ["chr2L", "chrX"]
    (tmp_path / "v.txt").write_text("Dev\tHk\n1\t2\n")
    with pytest.raises(InputError, match=r"a\.fa, line 3: found no values of 'chrX_5_8_-_y'"):
        prepare(tmp_path / "a.fa", out, targets=["Dev", "Hk"], values=tmp_path / "v.txt")
    (tmp_path / "v.txt").write_text("Dev\tHk\n1\t2\n3\t4\n5\t6\n")
    with pytest.raises(InputError, match="found 2 records, but 3 rows of values without names"):
        prepare(tmp_path / "a.fa", out, targets=["Dev", "Hk"], values=tmp_path / "v.txt")


def draws(**keys):
    given = {"test": ["a", "b", "c"], "validation": "others", "averages": None, "only": None, "parted": "error"} | keys
    return folds_of({"cross_validation": given})


def test_draws_of_the_benchmarks():
    human = draws(test=[*range(10)])
    assert (len(human), human[0].test, human[0].validation) == (90, ("0",), ("1",))
    flies = draws(test={"2L": ["chr2L", "chr2LHet"], "X": ["chrX"]}, validation=10, averages=3)
    assert [fold.name for fold in flies] == ["2L-0", "2L-1", "2L-2", "X-0", "X-1", "X-2"]
    assert (flies[2].test, flies[2].nested) == (("chr2L", "chr2LHet"), (10, 2))
    chromatin = draws(test={"0": ["chr1"]}, validation={"0": ["chr8", "chr20"]})
    assert [fold.validation for fold in chromatin] == [("chr8", "chr20")]
    assert [fold.name for fold in draws(only=["b"], averages=1)] == ["b-0"]
    with pytest.raises(InputError, match="'d' is no test fold"):
        draws(only=["d"])


def test_the_plan_has_as_many_trainings_as_the_paper(root):
    config, _ = read_configuration([root / "config/benchmarks.yaml"], root)
    jobs = training_jobs(config)
    assert len([job for job in jobs if job.dataset == "starrseq"]) == 5 * 10 * 4
    assert len([job for job in jobs if job.dataset in ("hepg2", "k562", "wtc11")]) == 1080
    assert len([job for job in jobs if job.dataset.startswith("chromatin")]) == 5 * 4
    assert len({job.path for job in jobs}) == len(jobs)


def results_of(folder, kind="value", models=("old", "new"), draws=("a-0", "a-1", "b-0", "b-1")):
    """A run: two models on two test folds, each trained twice; the second model is less noisy."""
    random, task = np.random.default_rng(1), Task(kind, ("y",), bin=1 if "profile" in kind else None)
    for fold in draws:
        truth = (
            np.random.default_rng(ord(fold[0])).poisson(3.0, (50, 1, 20 if "profile" in kind else 1)).astype(np.float32)
        )
        columns = {"codes": np.zeros((50, 8), np.uint8), "group": np.arange(50)}
        more = {"region_set": np.arange(50) // 40} if "profile" in kind else {}
        meta = {"task": asdict(task), "layout": {}}
        with StoreWriter(folder / f"data/set/fold~{fold}/test.safetensors", meta) as store:
            store.append(target=truth, **columns, **more)
        for noise, run in zip((2.0, 0.5), models, strict=False):
            path = f"dataset~set/run~{run}_fold~{fold}_seed~1"
            values = np.abs(truth + noise * random.normal(size=truth.shape)).astype(np.float32)
            with StoreWriter(folder / f"predictions/{path}/test.safetensors", meta) as store:
                store.append(target=values, **columns)
            point = {"run": run, "dataset": "set", "axes": {"fold": fold}, "seed": 1}
            (folder / "models" / path).mkdir(parents=True)
            (folder / "models" / path / "model.json").write_text(json.dumps({"point": point, "parameters": 7}))
    return folder


def test_models_are_averaged_within_a_fold(tmp_path):
    folder = results_of(tmp_path)
    table = score_folds(folder, ["set"], ["old", "new"], ["a-0", "a-1", "b-0", "b-1"])
    chosen = table[(table["model"] == "old") & (table["fold"] == "a") & (table["metric"] == "pearson")].iloc[0]
    paths = [f"predictions/dataset~set/run~old_fold~a-{k}_seed~1/test.safetensors" for k in (0, 1)]
    mean = np.mean([open_store(folder / path).target.ravel() for path in paths], axis=0)
    truth = open_store(folder / "data/set/fold~a-0/test.safetensors").target.ravel()
    assert chosen["value"] == pytest.approx(stats.pearsonr(mean, truth).statistic)
    assert (chosen["averaged"], chosen["n"], len(table)) == (2, 50, 8)


def test_counts_and_profiles_are_scored_on_peaks_alone(tmp_path):
    from scipy.spatial.distance import jensenshannon

    folder = results_of(tmp_path, "counts and profile", ("old",), ("a-0",))
    scored = score_folds(folder, ["set"], ["old"], ["a-0"]).set_index("metric")
    table = scored["value"]
    x = open_store(folder / "predictions/dataset~set/run~old_fold~a-0_seed~1/test.safetensors").target[:40, 0]
    y = open_store(folder / "data/set/fold~a-0/test.safetensors").target[:40, 0]
    assert table[COUNTS] == pytest.approx(stats.pearsonr(np.log1p(x.sum(1)), np.log1p(y.sum(1))).statistic)
    assert table[PROFILE] == pytest.approx(
        np.median([jensenshannon(a, b) for a, b in zip(x, y, strict=True)]), abs=1e-6
    )
    uniform = np.median([jensenshannon(np.ones(len(b)), b) for b in y])
    assert scored.loc[PROFILE, "uniform"] == pytest.approx(uniform, abs=1e-6)
    assert np.isnan(scored.loc[COUNTS, "uniform"])


def values(gains, models=("standard", "dream-cnn", "dream-rnn", "dream-attn"), dataset="starrseq", n=100):
    random = np.random.default_rng(3)
    rows = []
    for fold in range(5):
        level = 0.6 + 0.05 * random.normal()
        for model, gain in zip(models, (0, *gains), strict=True):
            value = level + gain + 0.004 * random.normal()
            key = {"dataset": dataset, "model": model, "task": "y", "metric": "pearson", "fold": str(fold)}
            rows.append(key | {"value": value, "n": n, "averaged": 1, "parameters": 10, "source": "run"})
    return pd.DataFrame(rows)


def test_paired_tests_are_those_of_scipy_with_holm():
    folds = values((0.02, 0.03, 0.001))
    tests = paired_tests(folds, "standard").set_index("model")
    wide = folds.pivot(index="fold", columns="model", values="value")
    expected = {model: stats.ttest_rel(wide[model], wide["standard"]).pvalue for model in tests.index}
    assert tests["p"].to_dict() == pytest.approx(expected)
    order = sorted(expected, key=expected.get)
    assert tests.loc[order[0], "p_holm"] == pytest.approx(min(1, 3 * expected[order[0]]))
    assert paired_tests(folds[folds["fold"] == "0"], "standard")["p"].isna().all()


def test_claims_follow_the_tests():
    folds = values((0.03, 0.06, 0.0))
    card = report_card(folds, paired_tests(folds, "standard"), "drosophila").set_index("claim")
    assert card["verdict"].to_dict() == {"1.1": "supports", "1.2": "supports", "1.3": "cannot decide", "2": "supports"}
    worse = values((-0.05, 0.06, 0.0))
    card = report_card(worse, paired_tests(worse, "standard"), "drosophila").set_index("claim")
    assert card.loc["1.1", "verdict"] == "contradicts"
    few = folds[folds["fold"] < "2"]
    assert set(report_card(few, paired_tests(few, "standard"), "drosophila")["verdict"]) == {"cannot decide"}


def test_gains_that_grow_with_the_data():
    sets = {"wtc11": (56, 0.01), "hepg2": (140, 0.03), "k562": (226, 0.05)}
    folds = pd.concat([values((g, g, g), dataset=name, n=n) for name, (n, g) in sets.items()])
    card = report_card(folds, paired_tests(folds, "standard"), "human").set_index("claim")
    assert card.loc["4", "verdict"] == "supports"
    folds["n"] = 300 - folds["n"]
    assert (
        report_card(folds, paired_tests(folds, "standard"), "human").set_index("claim").loc["4", "verdict"]
        == "contradicts"
    )


@pytest.mark.parametrize(
    ("gain", "verdict", "reason"),
    [
        (-0.05, "supports", "significantly, by paired t tests over the test folds"),
        (0.0, "cannot decide", "without a significant difference everywhere, which is no proof of equality"),
        (0.05, "contradicts", "significantly, by paired t tests over the test folds: wtc11, y: better"),
    ],
)
def test_a_model_that_does_not_beat_the_standard(gain, verdict, reason):
    folds = values((0.0, 0.0, gain), dataset="wtc11")
    card = report_card(folds, paired_tests(folds, "standard"), "human").set_index("claim")
    assert card.loc["3.4", ["verdict", "reason"]].tolist() == [verdict, reason]


@pytest.mark.parametrize(("gain", "how"), [(0.05, "better"), (-0.05, "worse"), (0.0, None)])
def test_a_model_that_equals_the_standard(gain, how):
    folds = values((0.1, gain), ("chrombpnet", "profile-dream-rnn", "profile-dream-cnn"), "chromatin")
    folds = folds.assign(metric="counts_pearson")
    row = report_card(folds, paired_tests(folds, "chrombpnet"), "chromatin").set_index("claim").loc["6.1"]
    assert row["verdict"] == ("contradicts" if how else "cannot decide")
    assert row["reason"].endswith(f"chromatin, y: {how}" if how else "no proof of equality")


def test_the_best_of_the_dream_models_is_compared_with_them_alone():
    models = ("standard", "dream-cnn", "dream-rnn", "dream-attn", "mpra_legnet")
    folds = values((0.02, 0.06, 0.0, 0.2), models)  # a peer is far better
    card = report_card(folds, paired_tests(folds, "standard"), "drosophila").set_index("claim")
    assert card.loc["2", "verdict"] == "supports"
    assert "over dream-cnn, starrseq, y: +0.04" in card.loc["2", "run"]
    folds = values((0.06, 0.02, 0.0), models[:4])
    row = report_card(folds, paired_tests(folds, "standard"), "drosophila").set_index("claim").loc["2"]
    assert row["verdict"] == "contradicts"
    assert row["reason"].endswith("over dream-cnn, starrseq, y: worse")
    folds = values((0.03, 0.03, 0.0), models[:4])
    assert report_card(folds, folds.pipe(paired_tests, "standard"), "drosophila")["verdict"].iloc[3] == "cannot decide"
    few = folds[folds["model"] != "dream-attn"]
    row = report_card(few, paired_tests(few, "standard"), "drosophila").set_index("claim").loc["2"]
    assert row["reason"] == "the run does not compare dream-rnn with dream-attn"


def test_one_data_set_of_three_supports_no_claim_on_all_three():
    folds = values((0.05, 0.05, 0.05), dataset="hepg2")
    row = report_card(folds, paired_tests(folds, "standard"), "human").set_index("claim").loc["3.1"]
    assert row[["verdict", "reason"]].tolist() == [
        "cannot decide", "the run does not compare the models on k562, wtc11"]  # fmt: skip


def test_what_another_implementation_cannot_train_is_not_tested():
    folds = values((0.0,), ("chrombpnet", "profile-dream-rnn"), "chromatin")
    row = report_card(folds, paired_tests(folds, "chrombpnet"), "chromatin").set_index("claim").loc["7"]
    assert row[["run", "verdict"]].tolist() == ["not tested", "cannot decide"]
    assert "grows with the length, not with its square" in row["reason"]


def test_figures_show_folds_targets_and_ceilings():
    published = values((0.1,), ("deepstarr", "dream-rnn")).head(2).assign(source="someone", value=0.7)
    folds = pd.concat([values((0.02,), ("deepstarr", "dream-rnn")), published], ignore_index=True)
    known = pd.DataFrame([("sim", "y", "pearson", 0.9)], columns=["file", "task", "metric", "value"])
    folds = with_ceilings(folds, known, {"starrseq": "sim"})
    figure, drawn = benchmarks.draw(folds, paired_tests(folds, "deepstarr"), "deepstarr")
    labels = figure.legends[0].get_texts()
    assert [text.get_text() for text in labels] == [
        "test fold",
        "mean",
        "perfect model",
        "target, of real data: someone",
    ]
    assert len(drawn) == 12
    bars, counts = benchmarks.parameters(folds)
    assert counts["parameters"].tolist() == [10, 10]
    for each in (figure, bars):
        assert_nothing_is_cut(each)
        assert_no_two_texts_overlap(each)


def texts_of(axes):
    return {text.get_text(): text for text in axes.texts}


def test_targets_of_models_that_are_not_in_the_run_have_a_row_and_their_number():
    published = read_table(PUBLISHED / "benchmarks.tsv")
    cells = [values((0.02, 0.01, 0), ("mprann", *DREAM), dataset=cell) for cell in ("hepg2", "k562", "wtc11")]
    of_cells = published[published["dataset"] != "starrseq"]
    folds = pd.concat([*cells, of_cells.replace({"task": {"mean_value": "y"}})], ignore_index=True)
    figure, drawn = benchmarks.draw(folds, paired_tests(folds, "mprann"), "mprann")
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows == ["mprann\n(standard)", *DREAM, "mpra-legnet"]
    for axes, title, number in zip(figure.axes, ("HepG2", "K562", "WTC11"), (".781", ".810", ".727"), strict=True):
        assert axes.get_title().startswith(title)
        assert texts_of(axes)[number].xy[1] == rows.index("mpra-legnet")
        p = [text for text in axes.texts if text.get_text().startswith("p = ")]
        assert [text.get_position()[1] for text in p] == [1, 2, 3]
    assert texts_of(figure.axes[1])[".825"].xy[1] == pytest.approx(rows.index("dream-rnn") + benchmarks.BELOW)
    assert {text.get_text().partition(":")[0] for text in figure.legends[0].get_texts()[2:]} == {"target"}
    assert len(drawn) == len(folds)
    assert_nothing_is_cut(figure)
    assert_no_two_texts_overlap(figure)


def test_a_uniform_profile_is_drawn_beside_profiles():
    folds = values((0.1,), ("chrombpnet", "other"), "chromatin").assign(metric=PROFILE, uniform=0.7)
    figure, drawn = benchmarks.draw(folds, paired_tests(folds, "chrombpnet"), "chrombpnet")
    (line,) = [line for line in figure.axes[0].lines if line.get_label() == "uniform profile"]
    assert line.get_xdata()[0] == pytest.approx(0.3)
    assert drawn["uniform"].tolist() == pytest.approx([0.3] * len(drawn))


def test_simulated_benchmarks_have_the_moments_that_they_should(tmp_path):
    write_benchmarks(tmp_path, 1500, 600, 1)
    flies = pd.read_csv(tmp_path / "drosophila.tsv", sep="\t")
    labels = flies[["Dev_log2_enrichment", "Hk_log2_enrichment"]]
    assert labels.std().tolist() == pytest.approx([1.54, 1.65], rel=0.06)
    assert np.corrcoef(labels.T)[0, 1] == pytest.approx(0.37, abs=0.08)
    assert (flies.groupby("start")["Dev_log2_enrichment"].nunique() == 1).all()
    for cell, (size, _) in CELLS.items():
        table = pd.read_csv(tmp_path / f"{cell}_clean.tsv", sep="\t")
        forward, reverse = np.split(table["mean_value"].to_numpy(), 2)
        assert len(forward) == 600 * size // 140
        assert np.corrcoef(forward, reverse)[0, 1] == pytest.approx(0.8, abs=0.06)
        assert table["fold"].nunique() == 10
    ceilings = pd.read_csv(tmp_path / "ceilings.tsv", sep="\t")
    assert ceilings.query("file == 'drosophila' and metric == 'pearson'")["value"].between(0.83, 0.9).all()


def test_same_seed_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_benchmarks(tmp_path / name, 50, 50, 3)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert [(tmp_path / "a" / f).read_bytes() for f in files] == [(tmp_path / "b" / f).read_bytes() for f in files]
    with pytest.raises(InputError, match="expected at least 50 of each"):
        write_benchmarks(tmp_path, 10, 50, 1)


@pytest.mark.learns
@pytest.mark.parametrize(("dataset", "number"), [("starrseq", 1), ("hepg2", 2)])
def test_a_model_of_the_demo_learns_the_simulated_grammar(dataset, number, root, tmp_path, seed, reaches):
    config, _ = read_configuration([], root)
    keys, sizes = config["datasets"][dataset], config["simulate_benchmarks"]
    write_benchmarks(tmp_path, sizes["enhancers"], sizes["elements"], seed)
    layout = Layout(length=keys["length"], flanks=tuple(keys["flanks"]))
    file, store = tmp_path / Path(keys["train"]).name, tmp_path / "all"
    prepare(file, store, layout, targets=keys["targets"], split_by=keys["split_by"])
    jobs = training_jobs({**config, "seeds": [seed]})
    r = []
    for fold in folds_of(keys)[:number]:
        (job,) = [job for job in jobs if (job.run, job.dataset, job.fold) == ("dream-cnn", dataset, fold.name)]
        held = [*([] if fold.nested else [fold.validation]), fold.test]
        *parts, test = parts_of(store, tmp_path, chromosomes=[[], *held], nested=fold.nested)
        out, checkpoint = tmp_path / fold.name, tmp_path / "checkpoint.pt"
        train(job.config, *[part.path for part in parts], out, checkpoint, device="cpu", threads=1)
        predicted = load(out, "cpu").predict(test.codes).reshape(len(test), -1)
        r.append([np.corrcoef(x, y)[0, 1] for x, y in zip(predicted.T, test.target[:, :, 0].T, strict=True)])
    reaches("r", float(np.mean(r, axis=0).max()), 0.4)


def test_a_file_of_an_archive(tmp_path, proformer):
    (tmp_path / "HepG2_clean.tsv").write_text("seq\tmean_value\tfold\nACGT\t1\t0\n")
    with tarfile.open(tmp_path / "data.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "HepG2_clean.tsv", "human/HepG2_clean.tsv")
    words = ("extract", "--table", tmp_path / "data.tar.gz", "--column")
    done = proformer(*words, "HepG2_clean.tsv", "--out", tmp_path / "out.tsv")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.tsv").read_bytes() == (tmp_path / "HepG2_clean.tsv").read_bytes()
    done = proformer(*words, "K562.tsv", "--out", tmp_path / "none.tsv")
    assert (done.returncode, (tmp_path / "none.tsv").exists()) == (2, False)
    assert "found no file 'K562.tsv'; it has HepG2_clean.tsv" in done.stderr


def test_verb_writes_tables_and_the_card(tmp_path, proformer):
    folder = results_of(tmp_path / "results")
    known = pd.DataFrame([("sim", "y", "pearson", 0.9)], columns=["file", "task", "metric", "value"])
    write_table(tmp_path / "ceilings.tsv", known)
    outs = {f"--{name}": tmp_path / f"{name}.tsv" for name in ("out", "tests", "card", "html")}
    words = ["--datasets", "set", "--runs", "old", "new", "--draws", "a-0", "a-1", "b-0", "b-1", "--standard", "old"]
    more = ["--ceilings", tmp_path / "ceilings.tsv", "--files", "set=sim"]
    done = proformer("folds", "--results", folder, *words, *more, *(word for pair in outs.items() for word in pair))
    assert done.returncode == 0, done.stderr
    tests = pd.read_csv(outs["--tests"], sep="\t")
    assert (tests["difference"] > 0).all()
    assert pd.read_csv(outs["--out"], sep="\t")["ceiling"].notna().sum() == 4
