"""Effects of variants against plain restatements, on models that count letters; files of CAGI5 as published."""

from dataclasses import asdict

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from drawn import assert_no_two_texts_overlap, assert_nothing_is_cut
from scipy import stats
from torch import nn

from proformer.errors import InputError
from proformer.evaluation.judgement import Judgement
from proformer.evaluation.profile_claims import published, report_card
from proformer.evaluation.profile_tables import by_element
from proformer.evaluation.profile_variants import example, judge_variants, predicted_effects, read_variants
from proformer.figures import gopher_variants as figures
from proformer.models.base import Model
from proformer.models.folder import TrainedModel
from proformer.tasks import Task

BP, LENGTH, WINDOW, SIZE = 64, 24, 32, 4
PLAN = Judgement(shifts=5, variant_window=WINDOW)
HEADER = "##Chrom\tname\n##Value\teffect\n#Chrom\tPos\tRef\tAlt\tValue\tConfidence\n"


class Places(Model):
    """Two tasks: how many G, and C and T, are in each bin, weighed by the place in the sequence that is read."""

    def __init__(self, size=SIZE):
        super().__init__()
        self.size, self.scale = size, nn.Parameter(torch.tensor(1.0))

    def forward(self, codes):
        both = torch.stack([codes == 2, (codes == 1) | (codes == 3)], 1).float() * torch.linspace(1, 2, LENGTH)
        return self.scale + both.unflatten(2, (-1, self.size)).mean(3)


def trained(model, kind="profile", run="basenji", **training):
    task = Task(kind, ("a", "b"), bin=model.size if kind == "profile" else None, mean=(0.0, 0.0), sd=(1.0, 1.0))
    about = {"point": {"run": run, "dataset": "d", "axes": {}}, "layout": {"length": LENGTH}, "parameters": 1}
    return TrainedModel(model.eval(), about | {"data": {}, "training": {"seed": 1, **training}}, task)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """HDF5, loci, and for each element its table; the last line of the first has another reference."""
    folder, random = tmp_path_factory.mktemp("cagi5"), np.random.default_rng(2)
    codes = random.integers(0, 4, (2, BP))
    with h5py.File(folder / "windows.h5", "w") as file:
        file["reference"] = np.eye(4, dtype=np.float16)[codes]
    (folder / "loci.csv").write_text("\ufeffchr,center,locus,note\n7,1000,F9,\nX,500,SORT1,removed\n", encoding="utf-8")
    tables = {}
    for element, chromosome, centre, own in (("F9", "7", 1000, codes[0]), ("SORT1", "X", 500, codes[1])):
        lines = []
        for index in range(28, 36):
            for letter in range(4):
                wrong = element == "F9" and index == 35
                reference = (own[index] + wrong) % 4
                if letter != reference:
                    value = random.normal()
                    position = index - (BP - 1) // 2 + centre
                    lines.append(f"{chromosome}\t{position}\t{'ACGT'[reference]}\t{'ACGT'[letter]}\t{value:.3f}\t1")
        tables[element] = folder / f"{element}.tsv"
        tables[element].write_text(HEADER + "\n".join(lines))
    return codes, tables, folder / "windows.h5", folder / "loci.csv"


def read(files, window=WINDOW):
    return read_variants(files[1], files[2], files[3], window)


def test_windows_are_around_the_variant_and_other_references_are_counted(files):
    variants = read(files)
    assert (len(variants.table), variants.dropped) == (7 * 3 + 8 * 3, 3)
    row = variants.table.iloc[4]
    index = row["position"] - 1000 + (BP - 1) // 2
    assert np.array_equal(variants.codes[4], files[0][0, index - 15 : index + 17])
    assert "ACGT"[variants.codes[4, variants.before]] == row["reference"]


@pytest.mark.parametrize(
    ("kind", "size"), [("profile", SIZE), ("profile", LENGTH), ("binary", LENGTH), ("values", LENGTH)]
)
def test_effects_are_those_of_a_plain_restatement(files, kind, size):
    variants, model = read(files), Places(size)
    found = predicted_effects(trained(model, kind), variants, PLAN)
    room = WINDOW - LENGTH
    shifts = np.random.default_rng(PLAN.seed).permutation(room + 1)[: PLAN.shifts]
    for row in (0, 11, 40):
        alleles = [variants.codes[row].copy(), variants.codes[row].copy()]
        alleles[1][variants.before] = "ACGT".index(variants.table["alternative"][row])
        for column, starts in enumerate(([room // 2], shifts)):
            covered = []
            for codes in alleles:
                each = []
                for start in starts:
                    with torch.no_grad():
                        y = model(torch.from_numpy(codes[None, start : start + LENGTH]))[0].double().numpy()
                    y = 1 / (1 + np.exp(-y)) if kind == "binary" else y
                    each.append(y.repeat(size, axis=1)[:, room - start : LENGTH - start].mean())
                covered.append(np.mean(each))
            before, after = covered
            expected = after - before if kind == "values" else np.log2(after / before)
            assert found[row, column] == pytest.approx(expected, abs=1e-6)


def test_r_is_within_elements_and_the_claim_counts_models(files):
    variants = read(files)
    models = {"a": trained(Places()), "b": trained(Places(LENGTH), shift=8)}
    scores, effects = judge_variants(models, variants, PLAN)
    rows = (variants.table["element"] == "SORT1").to_numpy()
    expected = stats.pearsonr(effects["a"][rows, 1], variants.table["measured"][rows]).statistic
    chosen = scores[(scores["folder"] == "a") & (scores["subset"] == "SORT1")].set_index("metric")
    assert chosen["value"]["robust_pearson"] == pytest.approx(expected)
    assert (chosen["bp"] == 2 * LENGTH - WINDOW).all()
    table = by_element(scores)
    assert table["way"].tolist() == ["standard", "robust"] * 2
    assert table["mean"].to_numpy() == pytest.approx(table[["F9", "SORT1"]].mean(axis=1).to_numpy())
    card = report_card(scores).set_index("claim")
    assert card["run"]["6.3"].split()[1:4] == ["of", "2", "models;"]


def test_every_figure_is_drawn_from_the_tables(files):
    variants = read(files)
    models = {run: trained(Places(), run=run, shift=shift) for run, shift in (("basenji", 8), ("bpnet", 0), ("cnn", 0))}
    scores, effects = judge_variants(models, variants, PLAN)
    scores["value"] += np.random.default_rng(1).normal(0, 0.1, len(scores))
    whole = scores.drop_duplicates("folder").assign(
        how="windows", subset="all", metric="pearson", value=[0.1, 0.3, 0.2]
    )
    both = pd.concat([scores, whole])
    table, alleles = example(models, effects, scores, variants)
    assert alleles["position"].diff().dropna().eq(SIZE).all()
    assert len(alleles) == LENGTH // SIZE
    printed = published().replace({"trained_bp": {"": np.nan}, "bp": {"": np.nan}})
    drawn = [
        figures.effects(table, alleles),
        *(draw(both) for draw in (figures.variants, figures.gains, figures.elements)),
    ]
    drawn += [figures.variants(printed[printed["figure"].isin(["4b", "5b"])])]
    for figure, numbers in drawn:
        assert len(numbers)
        assert_nothing_is_cut(figure)
        assert_no_two_texts_overlap(figure)
    gain = drawn[2][1].set_index("run")["gain"]
    means = scores.pivot_table(index="folder", columns="metric", values="value")
    assert gain["bpnet"] == pytest.approx((means["robust_pearson"] - means["pearson"])["bpnet"])
    assert len(drawn[4][1]) == 7


def test_real_windows_hold_all_but_three_references(mirrored):
    folder = mirrored("*/evanseitz/squid-manuscript/*/examples/*/*/CAGI5_onehots_centered_2048.h5").parent
    tables = {
        path.stem.removeprefix("combined_"): path for path in (folder / "CAGI5_info/saturation_scores").glob("*.tsv")
    }
    loci = folder / "CAGI5_info/centered_combined_cagi.csv"
    variants = read_variants(tables, folder / "CAGI5_onehots_centered_2048.h5", loci, 1152)
    assert (len(variants.table), variants.dropped, len(tables)) == (18_327, 3, 15)


def damaged(path, number, line):
    lines = path.read_text().split("\n")
    lines[number - 1] = line
    path.with_name("bad.tsv").write_text("\n".join(lines))
    return {"F9": path.with_name("bad.tsv")}


@pytest.mark.parametrize(("line", "message"), [
    ("7\t1000\tA\tAC\t0\t1", "bad.tsv, line 5: found '7 1000 A AC 0', expected a change of one letter"),
    ("7\t1000\tA\tA\t0\t1", "line 5: found"),
    ("7\tx\tA\tC\t0\t1", "line 5: found"),
    ("7\t1000\tA\tC\tnan\t1", "line 5: found"),
    ("8\t1000\tA\tC\t0\t1", "line 5: found no 32 bp around 8:1000"),
    ("7\t1020\tA\tC\t0\t1", "line 5: found no 32 bp around 7:1020 in .*, expected variant_window of at most"),
])  # fmt: skip
def test_what_is_no_variant_or_beyond_what_is_known_is_refused(files, line, message):
    with pytest.raises(InputError, match=message):
        read_variants(damaged(files[1]["F9"], 5, line), files[2], files[3], WINDOW)


def test_other_files_elements_and_windows_are_refused(files, tmp_path):
    _, tables, windows, loci = files
    with pytest.raises(InputError, match=r"loci.csv: found no locus 'F8'; known: F9, SORT1"):
        read_variants({"F8": tables["F9"]}, windows, loci, WINDOW)
    (tmp_path / "bad.h5").write_bytes(b"no")
    with pytest.raises(InputError, match=r"bad.h5: found .*, expected HDF5 of one-hot letters \[2, bp, 4\]"):
        read_variants(tables, tmp_path / "bad.h5", loci, WINDOW)
    with pytest.raises(InputError, match="variant_window: found 20 bp for a model that reads 24, expected 24 to 47"):
        predicted_effects(trained(Places()), read(files, 20), Judgement(variant_window=20))


def test_the_verb_scores_imported_weights_and_writes_tables(files, tmp_path, proformer):
    from proformer.models import build, resolve
    from proformer.models.folder import write_folder

    keys = resolve(
        {"model": "deepstarr", "filters": [4, 4], "kernels": [3, 3], "dense": [4]},
        {"length": LENGTH, "flanks": ("", "")},
    )
    keys |= {"window": LENGTH}
    model = build(keys)
    about = {
        "model": keys,
        "layout": {"length": LENGTH, "flanks": ["", ""]},
        "task": asdict(Task("values", ("a", "b"), mean=(0.0, 0.0), sd=(1.0, 1.0))),
    }
    write_folder(tmp_path / "model", model.state_dict(), about | {"parameters": 1, "made_by": {}})
    options = ["--variants", *(f"{name}={path}" for name, path in files[1].items()), "--sequences", files[2]]
    options += ["--loci", files[3], "--settings", "{shifts: 3, variant_window: 32}", "--out", tmp_path]
    done = proformer("profiles", "--models", tmp_path / "model", *options)
    assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(tmp_path / "effects.tsv", sep="\t")) == 45
    assert len(pd.read_csv(tmp_path / "variants.tsv", sep="\t")) == 2
    done = proformer("profiles", "--models", tmp_path / "model", "--out", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
