"""Effects of variants against predictions of both alleles; what of a VCF or a table is refused, and what is counted."""

import gzip

import numpy as np
import pandas as pd
import pytest
from tiny_models import FLANKS, LENGTH, saved

from proformer.predict import load

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
