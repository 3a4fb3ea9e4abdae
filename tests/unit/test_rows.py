"""Files of sequences in the forms that people have."""

import gzip
import io
import sys

import numpy as np
import pytest

from proformer.cli import main
from proformer.datasets.prepare import Layout, prepare
from proformer.datasets.rows import read_rows, rows_of_strings
from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.sequences import decode

SEQUENCES = ["ACGTACGTAC", "TTGCA", "GGGTTTNCC"]
VALUES = [[1.5, -2.0], [0.25, 3.0], [1e3, 0.0]]


def table(separator, heading=None, order=(0, 1, 2), first="", end="\n"):
    rows = [[s, *map(str, v)] for s, v in zip(SEQUENCES, VALUES, strict=True)]
    rows = [[str(row[i]) for i in order] for row in ([heading] if heading else []) + rows]
    return first + end.join(separator.join(row) for row in rows) + end


NAMES = ["sequence", "dev", "hk"]
FORMS = {
    "TSV without a header": (table("\t"), ("task 1", "task 2")),
    "CSV without a header": (table(","), ("task 1", "task 2")),
    "semicolons": (table(";"), ("task 1", "task 2")),
    "TSV with a header": (table("\t", NAMES), ("dev", "hk")),
    "CSV with a header": (table(",", NAMES), ("dev", "hk")),
    "capitals, any order": (table(",", ["SEQ", "Value", "Target"], (1, 0, 2)), ("Value", "Target")),
    "a byte-order mark": (table(",", NAMES, first="\ufeff"), ("dev", "hk")),
    "Windows line ends": (table("\t", NAMES, end="\r\n"), ("dev", "hk")),
    "blank lines at the end": (table("\t", NAMES) + "\n\r\n\n", ("dev", "hk")),
    "no newline at the end": (table("\t", NAMES).rstrip("\n"), ("dev", "hk")),
    "quotes, as R writes them": (
        '"name","seq","dev","hk"\n'
        + "".join(f'"a, {s}","{s}",{a},{b}\n' for s, (a, b) in zip(SEQUENCES, VALUES, strict=True)),
        ("dev", "hk"),
    ),
    "lower case": (table("\t", NAMES).lower(), ("dev", "hk")),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_store(form, packed, tmp_path):
    text, names = FORMS[form]
    content = text.encode()
    (tmp_path / "mine").write_bytes(gzip.compress(content) if packed else content)
    prepare(tmp_path / "mine", tmp_path / "all.safetensors")
    store = open_store(tmp_path / "all.safetensors")
    assert store.task.names == names
    assert store.task.kind == "values"
    assert store.codes.shape == (3, 10)  # padded to the longest
    assert [decode(codes) for codes in store.codes] == SEQUENCES
    assert store.target[:, :, 0].tolist() == VALUES


@pytest.mark.parametrize("size", [8, 30, 1 << 20])
@pytest.mark.parametrize("form", FORMS)
def test_blocks_of_any_size_give_the_same_rows(form, size, tmp_path):
    (tmp_path / "mine").write_bytes(FORMS[form][0].encode())
    rows = list(read_rows(tmp_path / "mine", size=size))
    assert [part.text(i).upper() for part in rows for i in range(len(part))] == SEQUENCES
    assert np.concatenate([part.numbers() for part in rows]).tolist() == VALUES


COLUMNS = {
    "one known name": ("name,seq,activity,notes\nx,ACGT,1,a\ny,ACGA,2,b\n", (), ("activity",), [[1], [2]]),
    "names that are asked for": ("seq,dev,hk\nACGT,1,5\nACGA,2,6\n", ("hk", "dev"), ("hk", "dev"), [[5, 1], [6, 2]]),
    "one that is asked for": ("seq,dev,expression\nACGT,1,5\nACGA,2,6\n", ["DEV"], ("dev",), [[1], [2]]),
    "an unknown name": ("sequence\tMAUDE\nACGT\t1\nACGA\t2\n", (), ("MAUDE",), [[1], [2]]),
    "no name": ("ACGT\t1\nACGA\t2\n", (), ("expression",), [[1], [2]]),
}


@pytest.mark.parametrize("what", COLUMNS)
def test_columns_of_values(what, tmp_path):
    text, targets, names, values = COLUMNS[what]
    (tmp_path / "mine.csv").write_text(text)
    prepare(tmp_path / "mine.csv", tmp_path / "s.safetensors", Layout(length=4), targets=targets)
    store = open_store(tmp_path / "s.safetensors")
    assert store.task.names == names
    assert store.target[:, :, 0].tolist() == values


@pytest.mark.parametrize(
    ("fasta", "values", "names"),
    [
        (">a 1.5\nACGT\nAC\n>b some words 2\nGG\n", None, ("expression",)),
        (">a value=1.5\nACGTAC\n>b x=2\nGG\n", None, ("expression",)),
        (">a|x|1.5\nACGTAC\n>b|2\nGG\n", None, ("expression",)),
        (">a\nACGTAC\n\n>b\nGG", "b\t2\nc\t7\na\t1.5\n", ("expression",)),
        (">a\nACGTAC\n>b\nGG\n", "id,activity\nb,2\na,1.5\n", ("activity",)),
    ],
)
def test_fasta_with_values_in_the_name_or_beside_it(fasta, values, names, tmp_path):
    (tmp_path / "mine.fa").write_text(fasta)
    if values:
        (tmp_path / "values").write_text(values)
    beside = tmp_path / "values" if values else None
    prepare(tmp_path / "mine.fa", tmp_path / "s.safetensors", values=beside)
    store = open_store(tmp_path / "s.safetensors")
    assert [decode(codes) for codes in store.codes] == ["ACGTAC", "GG"]
    assert store.target.ravel().tolist() == [1.5, 2]
    assert store.task.names == names


def test_names_of_rows(tmp_path):
    (tmp_path / "mine.csv").write_text("id,seq\nx,ACGT\ny,ACGA\n")
    (rows,) = read_rows(tmp_path / "mine.csv")
    assert rows.labels() == ["x", "y"]
    (tmp_path / "mine.fa").write_text(">x one\nACGT\n>y|2\nACGA\n")
    (rows,) = read_rows(tmp_path / "mine.fa")
    assert rows.labels() == ["x", "y|2"]


def test_standard_input(monkeypatch):
    class Stdin:
        buffer = io.BufferedReader(io.BytesIO(gzip.compress(b"ACGT\t1\nACGA\t2\n")))

    monkeypatch.setattr(sys, "stdin", Stdin)
    from proformer.datasets.text import STDIN

    (rows,) = read_rows(STDIN)
    assert rows.values().tolist() == [1, 2]


def test_strings_in_memory():
    assert [rows_of_strings(SEQUENCES).text(i) for i in range(3)] == SEQUENCES
    with pytest.raises(InputError, match=r"sequences, row 1: found the letter '\\n' in 'AC\\nGT'"):
        rows_of_strings(["ACGT", "AC\nGT"]).check_letters()
    with pytest.raises(InputError, match="sequences: found none"):
        rows_of_strings([])


def test_the_longest_is_said(tmp_path, capsys):
    (tmp_path / "mine.tsv").write_text("ACGT\t1\nACGTACG\t2\n")
    assert main(["prepare", "--sequences", str(tmp_path / "mine.tsv"), "--out", str(tmp_path / "s.safetensors")]) == 0
    assert "length 7: that of the longest sequence; shorter ones are padded" in capsys.readouterr().out


def test_a_line_of_megabytes_ends_soon(tmp_path, monkeypatch):
    monkeypatch.setattr("proformer.datasets.text.LONGEST_LINE", 1 << 16)
    (tmp_path / "mine.tsv").write_bytes(b"A" * (1 << 20))
    with pytest.raises(InputError, match="found a line of more than"):
        next(read_rows(tmp_path / "mine.tsv", size=1 << 10))
