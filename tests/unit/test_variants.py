"""Effects of variants against predictions of both alleles; what of a VCF or a table is refused, and what is counted."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_models import FLANKS, LENGTH, saved, tiny

from proformer.errors import InputError
from proformer.evaluation.effects import amounts
from proformer.explain.attribution import Attributor
from proformer.explain.variants import Pairs, check_models, effects
from proformer.predict import load
from proformer.tasks import Task

GENOME = "".join(np.random.default_rng(3).choice(list("ACGT"), 300))
HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
BEFORE = (LENGTH - 1) // 2


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return [saved(folder / str(seed), seed=seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    path.write_text(">chrI\n" + "\n".join(GENOME[i : i + 60] for i in range(0, 300, 60)) + "\n")
    return path


def other(letter):
    return "ACGT"["CGTA".index(letter)]


def run(proformer, tmp_path, models, lines, genome, *more):
    (tmp_path / "variants.vcf").write_text(HEADER + "".join(f"{line}\t.\t.\t.\n" for line in lines))
    options = ("--vcf", tmp_path / "variants.vcf", "--genome", genome, "--out", tmp_path / "effects.tsv")
    return proformer("variants", "--model", *models, *options, *more)


def predicted(model, text):
    return float(load(model, "cpu").predict([text], trimmed=True)[0, 0])


def test_a_change_and_an_insertion_and_a_deletion(proformer, tmp_path, models, genome):
    at = 149
    ref, snv = GENOME[at], other(GENOME[at])
    lines = [f"chrI\t{at + 1}\trs1\t{ref}\t{snv},{ref}GG", f"chrI\t{at + 1}\trs2\t{GENOME[at : at + 4]}\t{ref}"]
    done = run(proformer, tmp_path, models, lines, genome)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "effects.tsv", sep="\t")
    assert table["name"].tolist() == ["rs1", "rs1", "rs2"]
    start = at - BEFORE
    whole = GENOME[start : start + LENGTH]
    left, rest = GENOME[start:at], LENGTH - BEFORE
    alternatives = [
        f"{left}{snv}{GENOME[at + 1 :]}",
        f"{left}{ref}GG{GENOME[at + 1 :]}",
        f"{left}{ref}{GENOME[at + 4 :]}",
    ]
    for row, text in zip(table.itertuples(), alternatives, strict=True):
        each = [predicted(model, text[: BEFORE + rest]) - predicted(model, whole) for model in models]
        assert row.effect == pytest.approx(np.mean(each), abs=1e-3)
        assert row.sd == pytest.approx(np.std(each, ddof=1), abs=1e-3)
    assert (table["models"] == 2).all()


def test_beyond_the_end_of_a_contig_there_is_nothing(proformer, tmp_path, models, genome):
    done = run(proformer, tmp_path, models[:1], [f"chrI\t1\t.\t{GENOME[0]}\t{other(GENOME[0])}"], genome)
    assert done.returncode == 0, done.stderr
    row = pd.read_csv(tmp_path / "effects.tsv", sep="\t").iloc[0]
    text = "N" * BEFORE + GENOME[: LENGTH - BEFORE]
    codes = np.array([["ACGTN".index(letter) for letter in text]], np.uint8)
    assert row["predicted_reference"] == pytest.approx(float(load(models[0], "cpu").values(codes)[0, 0, 0]), abs=1e-3)
    assert np.isnan(row["sd"])


WRONG = {
    f"chrI\t10\t.\t{other(GENOME[9])}\tA": "line 4: found the reference",
    f"chrII\t10\t.\t{GENOME[9]}\tA": "line 4: found the contig 'chrII', expected one of the genome's: chrI",
    "chrI\t301\t.\tA\tC": "line 4: found chrI:301, expected a position of 1 to 300",
    f"chrI\t10\t.\t{GENOME[9]}\t<DEL>": "line 4: found the alternative '<DEL>'",
    "chrI\t10\t.\t\tA": "line 4: found the reference ''",
    "chrI\tten\t.\tA\tC": "line 4: found the position 'ten', expected a whole number",
}


@pytest.mark.parametrize("line", WRONG)
def test_what_cannot_be_predicted_is_named_or_counted(proformer, tmp_path, models, genome, line):
    good = f"chrI\t20\t.\t{GENOME[19]}\t{other(GENOME[19])}"
    done = run(proformer, tmp_path, models[:1], [good, line], genome)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert WRONG[line] in done.stderr
    assert not (tmp_path / "effects.tsv").exists()
    done = run(proformer, tmp_path, models[:1], [good, line], genome, "--drop")
    assert done.returncode == 0
    assert "1 left out: " in done.stderr
    assert len(pd.read_csv(tmp_path / "effects.tsv", sep="\t")) == 1


def test_all_that_cannot_be_predicted_is_counted(proformer, tmp_path, models, genome):
    wrong = [f"chrI\t{at + 1}\t.\t{other(GENOME[at])}\tA" for at in (9, 19)] + ["chrII\t1\t.\tA\tC"]
    done = run(proformer, tmp_path, models[:1], wrong, genome)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "line 3: found the reference" in done.stderr
    assert "in all 2 another reference, 1 contig unknown" in done.stderr
    done = run(proformer, tmp_path, models[:1], wrong, genome, "--drop")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "found no variant that can be predicted (left out: 2 another reference, 1 contig unknown)" in done.stderr


def test_a_packed_vcf_and_a_packed_genome(proformer, tmp_path, models, genome):
    (tmp_path / "genome.fa.gz").write_bytes(gzip.compress(genome.read_bytes()))
    text = f"{HEADER}chrI\t20\t.\t{GENOME[19]}\t{other(GENOME[19])}\n"
    (tmp_path / "variants.vcf.gz").write_bytes(gzip.compress(text.encode()))
    done = proformer("variants", "--model", models[0], "--vcf", tmp_path / "variants.vcf.gz", "--genome",
                     tmp_path / "genome.fa.gz", "--out", tmp_path / "effects.tsv")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"genome.fa.gz", "variants.vcf.gz", "effects.tsv"}


def test_a_table_of_sequences(proformer, tmp_path, models):
    insert = GENOME[:36]
    sequence = FLANKS[0] + insert + FLANKS[1]
    place = len(FLANKS[0]) + 5
    changed = sequence[: place - 1] + other(sequence[place - 1]) + sequence[place:]
    rows = f"sequence\tposition\talternative\n{sequence}\t{place}\t{changed[place - 1]}\n"
    (tmp_path / "changes.tsv").write_text(rows)
    options = ("--table", tmp_path / "changes.tsv", "--out", tmp_path / "effects.tsv")
    done = proformer("variants", "--model", models[0], *options)
    assert done.returncode == 0, done.stderr
    row = pd.read_csv(tmp_path / "effects.tsv", sep="\t").iloc[0]
    before, after = load(models[0], "cpu").predict([sequence, changed])[:, 0]
    assert row["reference"] == sequence[place - 1]
    assert row["effect"] == pytest.approx(after - before, abs=1e-3)
    (tmp_path / "changes.tsv").write_text(f"sequence\tposition\talternative\n{sequence}\t100\tA\n")
    done = proformer("variants", "--model", models[0], *options)
    assert done.returncode == 2
    assert "line 2: found the position '100', expected one of 1 to 66" in done.stderr


def test_sequences_that_a_model_does_not_read_are_named_or_counted(proformer, tmp_path, models):
    good = FLANKS[0] + GENOME[:36] + FLANKS[1]
    wrong = (GENOME[:60], good.replace(FLANKS[1], GENOME[:20] + FLANKS[1]), good[:30] + "X" + good[31:])
    rows = "".join(f"{sequence}\t20\t{other(sequence[19])}\n" for sequence in (good, *wrong))
    (tmp_path / "changes.tsv").write_text(f"sequence\tposition\talternative\n{rows}")
    options = ("--model", models[0], "--table", tmp_path / "changes.tsv", "--out", tmp_path / "effects.tsv")
    done = proformer("variants", *options)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "changes.tsv, line 3: found " in done.stderr
    assert "a sequence that begins with" in done.stderr
    assert "in all 3 not read by the model" in done.stderr
    done = proformer("variants", *options, "--drop")
    assert done.returncode == 0, done.stderr
    assert "3 left out: not read by the model" in done.stderr
    row = pd.read_csv(tmp_path / "effects.tsv", sep="\t").iloc[0]
    changed = good[:19] + other(good[19]) + good[20:]
    before, after = load(models[0], "cpu").predict([good, changed])[:, 0]
    assert row["effect"] == pytest.approx(after - before, abs=1e-3)


@pytest.mark.parametrize(
    ("task", "amount"),
    [
        (Task("binary", ("a",)), lambda values: 1 / (1 + np.exp(-values))),
        (Task("values", ("a",), scale="log1p"), lambda values: values),
    ],
)
def test_log2_is_of_amounts(task, amount):
    model, random = Attributor(tiny("danq", task=task)), np.random.default_rng(0)
    codes = random.integers(0, 4, (2, 6, LENGTH)).astype(np.uint8)
    table = effects([model], Pairs(pd.DataFrame({"name": range(6)}), *codes), "log2")
    before, after = (amount(model.predict(each)[:, 0]) for each in codes)
    with np.errstate(invalid="ignore"):
        assert table["effect"].to_numpy() == pytest.approx(np.log2(after / before), abs=1e-5, nan_ok=True)
    assert table["predicted_reference"].to_numpy() == pytest.approx(before, abs=1e-5)
    check_models([model], [Path("a")], "log2")


def test_counts_are_reads_in_a_ratio():
    task = Task("counts and profile", ("a",), bin=1)
    assert amounts(task, np.log1p([[3.0]])) == pytest.approx(3)


@pytest.mark.parametrize("task", [Task(mean=(0.0,), sd=(1.0,)), Task("values", ("a",), scale="none"), Task("bins")])
def test_logarithms_have_no_ratio(task):
    with pytest.raises(InputError, match=r"found log2 for folder, which predicts .*: logarithms already"):
        check_models([Attributor(tiny("danq", task=task))], [Path("folder")], "log2")


@pytest.mark.parametrize(
    ("text", "message"),
    [("a\tb\n1\t2\n", "line 1: found no column sequence, position, alternative"), ("", "found no table")],
)
def test_a_table_that_is_none(proformer, tmp_path, models, text, message):
    (tmp_path / "changes.tsv").write_text(text)
    done = proformer("variants", "--model", models[0], "--table", tmp_path / "changes.tsv", "--out", tmp_path / "e.tsv")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert message in done.stderr


def test_models_of_other_tasks_are_refused(proformer, tmp_path, models):
    import shutil

    shutil.copytree(models[0], tmp_path / "other")
    path = tmp_path / "other/model.json"
    path.write_text(path.read_text().replace('"expression"', '"growth"'))
    done = proformer("variants", "--model", models[0], tmp_path / "other", "--table", "x", "--out", tmp_path / "e.tsv")
    assert done.returncode == 2
    assert "found the tasks ['growth'], expected those of" in done.stderr
