"""Patterns in backgrounds, against functions whose answers are known; designs; the simulator's own truth."""

import re
from collections import Counter
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
import torch
from tiny_models import LENGTH, saved, tiny

from proformer.datasets.store import StoreWriter
from proformer.errors import InputError
from proformer.explain.attribution import Attributor
from proformer.explain.design import design_table, evolution, greedy, ledidi, within_budget
from proformer.explain.importance import Importance, background, embed, occlusion
from proformer.explain.study import Study, middles, study, whole_sequences
from proformer.explain.truth import PERFECT, planted_motifs, site_positions, true_scores, truth
from proformer.sequences import ALPHABET, N, decode, encode, reverse_complement
from proformer.settings import Null
from proformer.simulate.promoters import with_flanks
from proformer.tasks import Task


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def codes_of(rows=30, length=60, seed=0):
    return np.random.default_rng(seed).integers(0, 4, (rows, length)).astype(np.uint8)


def text(row):
    return "".join(ALPHABET[code] for code in row)


def counted(pattern):
    """A model: how often a pattern is there, on the forward strand."""
    return lambda codes: np.array([[len(re.findall(f"(?={pattern})", text(row)))] for row in codes], float)


def pairs_of(row):
    return Counter(zip(row[:-1].tolist(), row[1:].tolist(), strict=True))


def test_backgrounds_keep_what_they_promise():
    codes = codes_of()
    codes[:, :5] = N
    codes[0, 5:] = np.tile([0, 1, 2], 19)[:55]
    shuffled = {null: background(codes, null, np.random.default_rng(0)) for null in get_args(Null)}
    assert np.array_equal(shuffled["none"], codes)
    for null, found in shuffled.items():
        assert np.array_equal(found == N, codes == N), null
    for before, after in zip(codes, shuffled["dinucleotide"], strict=True):
        assert pairs_of(before) == pairs_of(after)
    assert all(
        Counter(a.tolist()) == Counter(b.tolist()) for a, b in zip(codes, shuffled["mononucleotide"], strict=True)
    )
    assert (shuffled["dinucleotide"] != codes).mean() > 0.4
    biased = np.tile(np.repeat([0, 3], 30).astype(np.uint8), (20, 1))
    assert np.array_equal(background(biased, "profile", np.random.default_rng(0)), biased)


def test_a_pattern_counts_where_it_is_written():
    backgrounds = np.full((6, 60), 3, np.uint8)
    experiments = Importance(counted("ACGA"), backgrounds)
    positions = experiments.positions("ACGA", range(0, 57, 8), strands=(1,))
    assert positions["x"].tolist() == [*range(0, 57, 8)]
    assert (positions["importance"] == 1).all()
    assert (positions["sd"] == 0).all()
    assert (experiments.positions("ACGA", [5], strands=(-1,))["importance"] == 0).all()
    assert experiments.copies("ACGA", (0, 10, 20))["importance"].tolist() == [1, 2, 3]
    with pytest.raises(InputError, match="found the position 57, expected one within 60 nt"):
        embed(backgrounds, "ACGA", 57)


def test_flanks_are_all_letters_and_ranked():
    table = Importance(counted("GACGAC"), np.full((3, 40), 3, np.uint8)).flanks(".ACGA.", 10)
    assert len(table) == 17
    best = table[table["x"] == 1].iloc[0]
    assert (best["pattern"], best["importance"]) == ("GACGAC", 1)
    assert table[table["x"].isna()]["pattern"].tolist() == ["NACGAN"]
    assert len(Importance(counted("A"), np.full((2, 40), 3, np.uint8)).flanks("ACGA", 10)) == 257


def test_two_patterns_interact_where_both_are_needed():
    def together(codes):
        return counted("ACGA")(codes) * counted("GGC")(codes)

    table = Importance(together, np.full((2, 40), 3, np.uint8)).distances("ACGA", "GGC", 10, range(-12, 30, 2))
    values = {name: table[table["pattern"].str.endswith(name)]["importance"] for name in ("both", "sum", "interaction")}
    assert (values["both"] == 1).all()
    assert (values["sum"] == 0).all()
    assert (values["interaction"] == 1).all()
    assert set(table["x"]) == {-10, -8, -6, -4, *range(4, 28, 2)}


def test_an_occluded_pattern_is_lost_on_either_strand():
    codes = np.full((4, 40), 3, np.uint8)
    codes[1] = embed(codes[1:2], "ACGACCC", 5)[0]
    codes[2] = embed(embed(codes[2:3], "ACGACCC", 5), "ACGACCC", 20)[0]
    codes[3] = embed(codes[3:4], "GGGTCGT", 9)[0]
    predict = counted("ACGACCC")
    table = occlusion(predict, codes, "ACGA.CC", ["a"], np.random.default_rng(0), fills=9).set_index("x")
    assert table["n"].to_dict() == {1: 2, 2: 1}
    assert table["importance"].to_dict() == pytest.approx({1: 0.5, 2: 2}, abs=0.1)
    (none,) = occlusion(predict, codes[:1], "ACGA", ["a"], np.random.default_rng(0)).itertuples()
    assert (none.x, none.n, np.isnan(none.importance)) == (0, 0, True)


@pytest.mark.parametrize("goal", ["max", "min"])
def test_greedy_design_takes_the_best_change_each_time(goal):
    attributor, codes = Attributor(tiny("danq")), codes_of(3, LENGTH)

    def predict(codes):
        return attributor.predict(codes)[:, 0]

    steps = greedy(predict, lambda codes: attributor.scores(codes, "ism")[:, 0], codes, goal, 3)
    sign = 1 if goal == "max" else -1
    for before, after in pairwise(steps):
        assert ((before != after).sum(axis=1) <= 1).all()
        best = (sign * attributor.scores(before, "ism")).reshape(len(codes), -1).max(axis=1)
        assert sign * (predict(after) - predict(before)) == pytest.approx(best, abs=1e-4)


def test_designs_come_near_a_number_and_stay_within_the_budget():
    def predict(codes):
        return (codes == 2).sum(axis=1).astype(float)

    codes = np.zeros((5, 30), np.uint8)
    steps = evolution(predict, codes, 3.0, 4, np.random.default_rng(0))
    table = design_table(steps, predict, truth=lambda codes: 2 * predict(codes))
    ends = table[table["step"] == 1]
    assert (ends["predicted"] == 3).all()
    assert (ends["true"] == 6).all()
    assert (ends["edits"] <= 4).all()


def test_the_least_useful_edits_beyond_the_budget_are_undone():
    def predict(codes):
        return (codes * np.arange(6)).sum(axis=1).astype(float)

    start, designs = np.zeros(6, np.uint8), np.array([[1, 1, 1, 0, 1, 0], [0, 0, 3, 0, 0, 1]], np.uint8)
    assert within_budget(predict, start, designs, "max", 2).tolist() == [[0, 0, 1, 0, 1, 0], [0, 0, 3, 0, 0, 1]]
    assert within_budget(predict, start, designs, "min", 2)[0].tolist() == [1, 1, 0, 0, 0, 0]


def test_ledidi_designs_within_the_budget():
    pytest.importorskip("ledidi", reason="ledidi is not installed (make explain)")
    attributor, codes = Attributor(tiny("danq")), codes_of(2, LENGTH)
    codes[0, :4] = N
    before, after = ledidi(attributor, codes, "max", 3, seed=0)
    assert np.array_equal(before, codes)
    assert np.array_equal(after == N, codes == N)
    assert 0 < (after != codes).sum(axis=1).max() <= 3
    assert (attributor.predict(after) >= attributor.predict(before)).all()
    assert np.array_equal(ledidi(attributor, codes, "max", 3, seed=0)[1], after)


def test_the_simulator_knows_its_sites():
    motif = encode("GCAGGCACG")
    codes = np.full((2, 100), N, np.uint8)
    codes[:, 10:90] = np.random.default_rng(0).choice([0, 3], (2, 80))
    codes[0, 30:39], codes[1, 50:59] = motif, reverse_complement(motif)
    sites = site_positions(codes)
    assert np.array_equal(np.flatnonzero(sites[0]), np.arange(30, 39))
    assert np.array_equal(np.flatnonzero(sites[1]), np.arange(50, 59))
    scores = true_scores(codes)
    changed = codes.copy()
    changed[0, 34] = 0
    assert scores[0, 0, 34, 0] == pytest.approx((truth(changed) - truth(codes))[0, 0], abs=1e-4)
    size = np.abs(scores[0, 0]).mean(axis=1)
    assert size[30:39].mean() > 1.5 * size[~sites[0]].mean()
    assert {"Mot3", "Skn7", "Reb1", "Hsf1_14"} <= planted_motifs().keys()


def test_experiments_are_on_the_most_common_length():
    codes = codes_of(9, 20)
    codes[:6, -2:] = N
    assert np.array_equal(whole_sequences(codes), codes[:6])


def test_models_of_shorter_windows_are_asked_about_the_middles(tmp_path):
    codes = codes_of(3, 80)
    described = tiny("danq", length=80).description
    with StoreWriter(tmp_path / "windows.safetensors", {key: described[key] for key in ("task", "layout")}) as store:
        store.append(codes=codes, target=np.zeros((3, 1, 1), np.float32), group=np.zeros(3, np.int64))
    short, long = tiny("danq", length=60), tiny("danq", length=90)
    assert np.array_equal(middles(store.path, [short, short]), codes[:, 10:70])
    assert np.array_equal(middles(store.path, [short], 2), codes[:2, 10:70])
    for wrong in ([long], [short, tiny("danq", length=80)]):
        with pytest.raises(InputError, match="expected one length"):
            middles(store.path, wrong)


def test_a_study_asks_models_and_the_simulator_the_same():
    codes = codes_of(12, 80, seed=3)
    codes = np.pad(codes, ((0, 0), (10, 10)), constant_values=N)
    codes[:6, 30:39] = encode("GCAGGCACG")
    plan = Study(sequences=3, methods=("ism", "gradient"), logos=1, backgrounds=4, patterns=("TTACCCG",), every=30,
                 flanks=".TACCCG", pair=("ATGGAACA", "ATGGAACA"), occlude="GCAGGCACG", designs=2, edits=1)  # fmt: skip
    models = {("danq", "1"): tiny("danq", length=100), ("legnet", "2"): tiny("legnet", length=100)}
    tables = study(models, codes, plan, planted_motifs(), simulated=True)
    assert tables.keys() == {"attribution", "logos", "motifs", "filters", "filter_logos", "importance", "design"}
    attribution = tables["attribution"].set_index(["run", "method"])
    assert attribution.loc[(PERFECT, "ism"), "auroc"] > 0.8
    assert attribution.loc[("danq", "ism"), "r_ism"] == pytest.approx(1)
    for name in ("logos", "importance"):
        assert set(tables[name]["run"]) == {PERFECT, "danq", "legnet"}
    known = tables["importance"]
    assert set(known["experiment"]) == {"positions", "copies", "flanks", "distances", "occlusion"}
    reb1 = known[(known["run"] == PERFECT) & (known["experiment"] == "positions")]
    assert (reb1["importance"] > 0).all()
    assert set(known["task"]) == {"expression"}
    designs = tables["design"]
    assert (designs.groupby(["designer", "step"])["edits"].max() <= 1).all()
    assert set(designs["designer"]) == {"greedy", "evolution"}
    filters = tables["filters"].set_index("run")
    columns = [f"{what}_{control}" for what in ("hit_ratio", "mean_q") for control in ("untrained", "shuffled")]
    assert filters[columns].stack().between(0, 1).all()
    assert "attribution" in study(models, codes, Study(sequences=2, designs=0, methods=("ism",)), {}, simulated=False)


def test_a_study_of_several_null_models_and_of_models_that_are_attributed_alone():
    codes = codes_of(12, 60)
    plan = Study(sequences=2, methods=("ism",), logos=1, null=get_args(Null), backgrounds=4, patterns=("TTACCCG",),
                 every=30, pair=("TTACCCG", "GTC"), occlude="A{30}", designs=0, attributed=("legnet",))  # fmt: skip
    task = Task(names=("growth",), mean=(0.0,), sd=(1.0,))
    models = {(name, "1"): tiny(name, task=task, length=60) for name in ("danq", "legnet")}
    tables = study(models, codes, plan, planted_motifs(), simulated=False)
    assert set(tables["importance"]["task"]) == {"growth"}
    assert set(tables["attribution"]["run"]) == {"danq", "legnet"}
    for name in ("logos", "importance", "filters"):
        assert set(tables[name]["run"]) == {"danq"}, name
    found = tables["importance"]
    assert (found[found["experiment"] != "occlusion"].groupby("null").size().nunique(), found["null"].nunique()) == (
        1,
        5,
    )
    assert found.loc[found["experiment"] == "occlusion", "n"].tolist() == [0]
    one = found[(found["experiment"] == "copies") & (found["x"] == 1)].set_index("null")["importance"]
    assert one.nunique() == len(get_args(Null))
    attributor, whole = Attributor(models["danq", "1"]), whole_sequences(codes)[:4]
    assert one["none"] == pytest.approx(
        float((attributor.predict(embed(whole, "TTACCCG", 2)) - attributor.predict(whole)).mean()), abs=1e-5
    )


def test_verbs_write_their_tables(proformer, tmp_path):
    import pandas as pd

    model = saved(tmp_path / "model")
    rows = with_flanks(codes_of(8, LENGTH))
    (tmp_path / "s.txt").write_text("".join(f"{row}\n" for row in rows))
    given = ("--model", model, "--sequences", tmp_path / "s.txt", "--out", tmp_path / "out.tsv", "--threads", 1)
    for verb, options, columns in (
        ("motifs", ("--meme", tmp_path / "f.meme"), {"filter", "motif", "q"}),
        ("importance", ("--patterns", "ACGA", "--null", "none"), {"experiment", "importance"}),
        ("design", ("--edits", 1, "--goal", "min"), {"edits", "predicted"}),
    ):
        done = proformer(verb, *given, *options)
        assert done.returncode == 0, done.stderr
        assert columns <= {*pd.read_csv(tmp_path / "out.tsv", sep="\t")}, verb
    done = proformer("motifs", *given, "--known", tmp_path / "f.meme")
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(tmp_path / "out.tsv", sep="\t")["q"].min() < 1e-3
    for options, message in (
        ((), "found no pattern"),
        (("--occlude", "A{30}"), "found no match of A{30} in 8 sequences"),
        (("--occlude", "A*"), "found 'A*', which matches nothing as well"),
        (("--patterns", "ACGT" * 10), "nt to write it into, expected a shorter pattern"),
        (("--pair", "A" * 20, "C" * 20), "nt to write it into, expected a shorter pattern"),
        (("--flanks", "....A..."), "found 7 dots in ....A..., expected at most 6"),
    ):
        done = proformer("importance", *given, *options)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert message in done.stderr
    done = proformer("design", *given, "--tasks", "expression", "growth")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--tasks: found expression, growth, expected one task" in done.stderr
    assert decode(codes_of(1)[0])
