"""Measured promoters in every shape in which they were published, and every way in which such a file can be wrong."""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proformer.datasets.measured import evaluation_table, published_predictions, read_evaluation, read_measured
from proformer.datasets.prepare import Layout, prepare
from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.sequences import decode, flank_extent
from proformer.simulate.vaishnav import write_vaishnav

LEFT, RIGHT = FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")
A, B = "ACGTTGCAAC" * 8, "TTGACCAGTA" * 8
NATIVE = f"index,seq110,Measured Expression\n0,{LEFT}{A}{RIGHT},11.5\n1,{LEFT}{B}{RIGHT},3\n"


def write(path, text):
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def table(tmp_path, text, medium=None, rows=None, flanks=FLANKS):
    return evaluation_table("set", write(tmp_path / "set.csv", text), medium, rows, flanks)[0]


@pytest.mark.parametrize(
    "text",
    [
        NATIVE,
        NATIVE.replace("index,", ","),
        NATIVE.replace("seq110", "sequence"),
        NATIVE.replace("Measured Expression", "meanEL"),
        NATIVE.replace("Measured Expression", " measured_expression "),
        NATIVE.replace("Measured Expression", "Measured Expression,meanEL.base").replace("11.5", "11.5,1"),
        NATIVE.replace("\n", "\r\n"),
        NATIVE.replace(LEFT, f"NNNN{LEFT}"),
        NATIVE.lower().replace("measured expression", "Measured Expression"),
        gzip.compress(NATIVE.encode()),
        f"{LEFT}{A}{RIGHT}\t11.5\n{LEFT}{B}{RIGHT}\t3\n",
    ],
)
def test_all_shapes_are_one_table(tmp_path, text):
    if isinstance(text, str) and "meanEL.base" in text:
        text = text.replace(",3\n", ",3,1\n")
    found = table(tmp_path, text)
    assert found["sequence"].tolist() == [f"{LEFT}{A}{RIGHT}", f"{LEFT}{B}{RIGHT}"]
    assert found["expression"].tolist() == [11.5, 3.0]
    assert found["role"].tolist() == ["row", "row"]
    assert found["reference"].tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("construct", "insert", "how"),
    [
        (f"{LEFT}{A}{RIGHT}", A, "whole"),
        (f"NNN{LEFT}{A}{RIGHT}", A, "whole"),
        (f"{LEFT[1:]}{A}C{RIGHT}", A + "C", "cut"),
        (f"{LEFT[-3:]}{A}{'G' * 14}{RIGHT}", A + "G" * 14, "cut"),
        (f"NN{LEFT[:15]}{A[:78]}{RIGHT}", A[:78], "partial"),
        (f"{LEFT}{A}{RIGHT[:9]}", A, "cut"),
        (f"{A}{RIGHT}", A, "none"),
        (f"{LEFT}NN{A[4:]}NN{RIGHT}", f"NN{A[4:]}NN", "whole"),
        ("NNNN", "", "none"),
    ],
)
def test_inserts_are_found_by_their_flanks(construct, insert, how):
    start, stop, found = flank_extent(construct, LEFT, RIGHT)
    assert (construct[start:stop], found) == (insert, how)


@given(st.text("ACGTN", max_size=60), st.integers(0, 17), st.integers(0, 12))
def test_an_extent_lies_in_its_sequence(insert, cut, padding):
    construct = "N" * padding + LEFT[cut:] + insert + RIGHT
    start, stop, _ = flank_extent(construct, LEFT, RIGHT)
    assert 0 <= start <= stop <= len(construct)
    assert flank_extent(construct, "", "")[2] == "whole"


def test_duplicates_are_marked_and_trajectories_find_their_beginning(tmp_path):
    rows = [("Glu.traj.dec.7.ED0", A, 9), ("Glu.traj.inc.7.ED0", A, 9), ("Glu.traj.dec.7.ED2", B, 4)]
    rows += [("Glu.traj.dec.8.ED1", B[::-1], 5), ("Glu.traj.dec.70.ED1", A[::-1], 6)]
    text = "origID,seq110,meanEL,expt\n" + "".join(f"{n},{LEFT}{s}{RIGHT},{v},NBT_S288CdU_YPD\n" for n, s, v in rows)
    found = table(tmp_path, text, medium="complex")
    assert found["role"].tolist() == ["row", "duplicate", "row", "row", "row"]
    assert found["reference"].tolist() == [-1, -1, 0, -1, -1]


def drift(mutants):
    """A drift table of mutants of A: (base name, changes)."""
    lines = ["expt,baseSeq,meanEL.base,seq110,meanEL.mut,origID,mutDesc"]
    for name, changes in mutants:
        insert = list(A)
        for change in changes.split("."):
            insert[int(change[:-1])] = change[-1]
        line = f"NBT_S288CdU_YPD,{name},8.5,{LEFT}{''.join(insert)}{RIGHT},7,{name}_{changes},{changes}"
        lines.append(line)
    return "\n".join(lines)


def test_what_was_mutated_is_read_off_its_mutants(tmp_path):
    found = table(tmp_path, drift([("r1", "3A.9G"), ("r2", "0C"), ("r1", "20C"), ("r2", "0G")]))
    assert found["role"].tolist() == ["row"] * 4 + ["reference"]
    assert found["reference"].tolist() == [4, -1, 4, -1, -1]  # nobody has the first base of r2
    assert found["sequence"].iloc[4] == f"{LEFT}{A}{RIGHT}"
    assert found["expression"].tolist() == [7, 7, 7, 7, 8.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("index,seq110,Measured Expression\n", "found a heading and no rows"),
        (NATIVE.replace("seq110", "dna"), "found no column 'seq110' or 'sequence', but 'index', 'dna'"),
        (NATIVE.replace("Measured Expression", "tpu"), "found no column 'meanel.mut' or 'meanel' or"),
        (NATIVE.replace("index", "seq110"), "the column 'seq110' more than once"),
        (NATIVE.replace("index", "Measured Expression"), "the column 'measured expression' more than once"),
        (NATIVE.replace("11.5", "high"), "line 2: found 'high' in 'measured expression', expected a finite number"),
        (NATIVE.replace(",3\n", ",\n"), "line 3: found '' in 'measured expression'"),
        (NATIVE.replace("11.5", "inf"), "line 2: found 'inf'"),
        (NATIVE.replace(B, B[:-1] + "U"), "line 3: found the sequence"),
        (NATIVE.replace(f"{LEFT}{B}{RIGHT}", "NNNN"), "line 3: found the sequence ''"),
        (NATIVE.replace(B, ""), "row 1: found nothing between the flanks"),
        (NATIVE.replace("3\n", "3,4,5\n"), "found no table"),
        (gzip.compress(NATIVE.encode())[:-12], "damaged or cut short"),
        (f"{LEFT}{A}{RIGHT}\t11.5\n{LEFT}{B[1:]}X{RIGHT}\t3\n", "line 2: found the letter 'X'"),
    ],
)
def test_wrong_files_are_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(InputError) as caught:
        table(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_medium_is_refused(tmp_path):
    source = write(tmp_path / "a.csv", drift([("r1", "3A"), ("r1", "4C")]))
    with pytest.raises(InputError, match=r"line 2: found the experiment 'NBT_S288CdU_YPD', expected NBT_S288CdU_SCUra"):
        read_measured(source, "defined")
    with pytest.raises(InputError, match="found 'minimal', expected one of complex, defined"):
        read_measured(source, "minimal")


def test_another_set_is_refused_by_its_number_of_rows(tmp_path):
    with pytest.raises(InputError, match="found 2 rows, expected 61,150"):
        table(tmp_path, NATIVE, rows=61150)


def test_published_predictions_find_their_rows(tmp_path):
    found = table(tmp_path, NATIVE)
    text = NATIVE.replace("Measured Expression", "Measured Expression,Predicted Expression")
    text = text.replace("11.5", "11.5,10").replace(",3\n", ",3,5\n")
    lines = text.splitlines()
    given = write(tmp_path / "given.csv", "\n".join([lines[0], lines[2], lines[1].replace(LEFT, f"NN{LEFT}")]))
    assert published_predictions(given, found, "complex", FLANKS).tolist() == [10.0, 5.0]
    short = write(tmp_path / "short.csv", "\n".join(lines[:2]))
    with pytest.raises(InputError, match=r"found no prediction for 1 of 2 sequences, first that of row 1, TGC"):
        published_predictions(short, found, "complex", FLANKS)
    with pytest.raises(InputError, match="found no predictions, expected a column"):
        published_predictions(tmp_path / "set.csv", found, "complex", FLANKS)


def test_training_files_of_several_shapes_make_one_store(tmp_path, promoter_file):
    first = write(tmp_path / "a.csv", drift([("r1", "3A"), ("r1", "4C")]))
    second = write(tmp_path / "b.txt", f"{LEFT[4:]}{A}GGAA{RIGHT}\t2\n{LEFT}{B}{RIGHT}\t3\n")
    layout = Layout(100, FLANKS, "drop", "partial")
    counts = prepare([first, second], tmp_path / "all.safetensors", layout, "complex")
    store = open_store(tmp_path / "all.safetensors")
    assert [len(decode(codes)) for codes in store.codes] == [80, 80, 84, 80]
    assert store.target.ravel().tolist() == [7.0, 7.0, 2.0, 3.0]
    kept = counts.set_index(["file", "what"])["count"]
    assert kept["a.csv", "kept"] == 2
    assert (kept["b.txt", "kept"], kept["b.txt", "wrong_flank"]) == (2, 1)
    with pytest.raises(InputError, match="found the experiment"):
        prepare([second, first], tmp_path / "none.safetensors", layout, "defined")
    assert not (tmp_path / "none.safetensors").exists()


def test_simulated_sets_have_the_published_shapes(tmp_path):
    write_vaishnav(tmp_path, native=40, random=300, drift=31, seed=3)
    sets = {name: evaluation_table(name, path, "complex", None, FLANKS) for name, path in
            ((path.stem, path) for path in tmp_path.glob("*.csv"))}  # fmt: skip
    native, random, mutants = (
        sets[n][0] for n in ("All_promoter_fragments_Native", "Random_complex", "Drift_testdata")
    )
    assert (len(native), len(random)) == (40, 300)
    assert (
        0 < (random["flank"] != "whole").sum() < 15
    )  # inserts beyond 80 nt push the left flank off the 110 that were kept
    assert random["sequence"].str.len().nunique() > 3
    assert (mutants["reference"][:30] >= 0).all()
    again = tmp_path / "again"
    write_vaishnav(again, native=40, random=300, drift=31, seed=3)
    assert all(path.read_bytes() == (again / path.name).read_bytes() for path in tmp_path.glob("*.csv"))
    with pytest.raises(InputError, match="expected at least 3 rows"):
        write_vaishnav(tmp_path, 2, 3, 3, 1)


def test_command_line(tmp_path, proformer):
    source = write(tmp_path / "native.csv", NATIVE)
    options = ["measured", "--file", source, "--name", "native", "--out", tmp_path / "native.tsv"]
    done = proformer(*options, "--rows", 2, "--sequences", tmp_path / "native.txt", "--counts", tmp_path / "n.tsv")
    assert done.returncode == 0, done.stderr
    assert read_evaluation(tmp_path / "native.tsv")["name"].tolist() == [0, 1]
    assert (tmp_path / "native.txt").read_text() == f"{LEFT}{A}{RIGHT}\t11.5\n{LEFT}{B}{RIGHT}\t3\n"
    (tmp_path / "native.tsv").unlink()
    done = proformer(*options, "--rows", 3)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "native.tsv").exists()


@pytest.mark.skipif("PROFORMER_MIRROR" not in os.environ, reason="PROFORMER_MIRROR is not set: no published files")
@pytest.mark.parametrize(
    ("name", "medium", "rows", "distinct", "pairs"),
    [
        ("Random_testdata_complex_media.csv", "complex", 2954, 2954, 0),
        ("Native_test_DanQ_model.csv", "complex", 3733, 3733, 0),
        ("Drift_testdata.csv", "complex", 2983, 2983, 2976),
        ("SSWM_testdata.csv", "complex", 10322, 9892, 9344),
        ("ga_testdata.csv", "complex", 982, 982, 0),
        ("Random_testdata_defined_media.csv", "defined", 5289, 5289, 0),
        ("Native_testdata_defined_media.csv", "defined", 3782, 3782, 0),
        ("Drift_testdata_defined_media.csv", "defined", 2986, 2986, 2980),
        ("SSWM_testdata_defined_media.csv", "defined", 6304, 6113, 5633),
    ],
)
def test_published_files(name, medium, rows, distinct, pairs):
    path = next(Path(os.environ["PROFORMER_MIRROR"]).rglob(name))
    found, counts = evaluation_table("x", path, medium, rows, FLANKS)
    count = counts.set_index("what")["count"]
    assert (count["distinct"], count["rows with a reference"]) == (distinct, pairs)
    assert found["sequence"].str.len().between(95, 130).all()
    if name.startswith("Random_testdata_complex"):
        assert (count["flanks cut"], count["flanks partial"], count["longest insert"]) == (32, 70, 97)
    if pairs and "Drift" in name:
        mutants = found[found["reference"] >= 0]
        base = found["sequence"].iloc[mutants["reference"]].tolist()
        differ = [
            sum(x != y for x, y in zip(a, b, strict=True)) for a, b in zip(mutants["sequence"], base, strict=True)
        ]
        assert differ == pd.read_csv(path, low_memory=False)["ED"][found["reference"][:rows] >= 0].tolist()
        assert np.ptp(differ) == 2
