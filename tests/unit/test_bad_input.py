"""What is wrong with a file or an option, and the one line that its user reads."""

import gzip
import json
import re
from dataclasses import asdict

import pytest

from proformer.cli import main
from proformer.models import build, resolve
from proformer.models.folder import write_folder
from proformer.tasks import Task

LEFT, RIGHT = FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")
A, B = "ACGTACGTAC", "TTGCATTGCA"
SWAP = "expected the sequence first: swap the columns, or name them in a header line"
NUMBERS = "a sequence and a number"

FILES = {
    "nothing": ("", ": the file is empty, expected one sequence per line"),
    "columns swapped": (f"1.5\t{A}\n", f", line 1: found '1.5' before the sequence, {SWAP}"),
    "columns swapped after a while": (f"{A}\t1\n2.5\t{B}\n", f", line 2: found '2.5' before the sequence, {SWAP}"),
    "decimal comma": (
        f"{A}\t1\n{B}\t3,5\n",
        ", line 2: found '3,5', with a decimal comma, expected a decimal point: 3.5",
    ),
    "decimal comma after a semicolon": (
        f"{A};3,5\n",
        ", line 1: found '3,5', with a decimal comma, expected a decimal",
    ),
    "no separator": (
        f"{A} 1.5\n",
        ", line 1: found one column, separated by blanks, expected a sequence and a number, wi",
    ),
    "no value": (f"{A}\n", f", line 1: found one column, expected {NUMBERS}, with a tab or comma between them"),
    "no value further down": (f"{A}\t1\n{B}\n", ", line 2: found one column, expected 2, as in the first line"),
    "a column too many": (f"{A}\t1\n{B}\t2\t3\n", ", line 2: found 3 columns, expected 2, as in the first line"),
    "columns that come and go": (f"{A}\t1\n{B}\n{A}\t2\t3\n", ", line 2: found one column"),
    "an empty value": (f"{A}\t1\n{B}\t\n", ", line 2: found an empty cell, expected a finite number"),
    "an empty value of a column": (
        f"sequence\tDev\tHk\n{A}\t1\t2\n{B}\t3\t\n",
        ", line 3: found an empty cell in the column 'Hk', expected a finite",
    ),
    "a word for a number": (f"{A}\t1\n{B}\thigh\n", ", line 2: found 'high', expected a finite number"),
    "not a number": (f"{A}\tnan\n", ", line 1: found 'nan', expected a finite number"),
    "infinite in float32": (f"{A}\t1\n{B}\t1e39\n", ", line 2: found '1e39', expected a number that float32 holds"),
    "an underscore": (f"{A}\t1_5\n", ", line 1: found '1_5', expected a finite number"),
    "full-width digits": (f"{A}\t１５\n", ", line 1: found '１５', expected a finite number"),
    "a non-breaking space": (f"{A}\t1\u00a05\n", r", line 1: found '1\xa05', expected a finite number"),
    "the first wrong line, of several kinds": (
        f"{A}\t1\n{B}\t2\nACXT\t3\n{A}\thigh\nAC\tlow\n{B}\n",
        ", line 3: found the letter 'X' in 'ACXT'",
    ),
    "the first wrong line, of several lengths": (f"{A}\t1\nACGT\tx\nAC\ty\n{A}\tz\n", ", line 2: found 'x'"),
    "another letter": ("ACGTZ\t1\n", ", line 1: found the letter 'Z' in 'ACGTZ', expected only A, C, G, T and N"),
    "RNA": ("ACGU\t1\n", ", line 1: found the letter 'U' in 'ACGU', expected only A, C, G, T and N: write T for U"),
    "an ambiguous base": (
        "ACRT\t1\n",
        ", line 1: found the letter 'R' in 'ACRT', expected only A, C, G, T and N: write N",
    ),
    "a control character": ("AC\x1b[31mT\t1\n", r", line 1: found the letter '\x1b' in 'AC\x1b[31mT'"),
    "an empty sequence": (f"{A}\t1\n\t2\n", ", line 2: found an empty sequence, expected A, C, G, T and N"),
    "a blank line": (f"{A}\t1\n\n{B}\t2\n", ", line 2: found a blank line, expected a sequence"),
    "a header without a sequence": (
        "oligo\tlog2FC\n",
        ", line 1: found the columns 'oligo', 'log2FC', expected one that is named sequence or seq",
    ),
    "a header alone": ("sequence\tvalue\n", ": found no rows below the header, expected sequences"),
    "a name twice": (
        f"seq,value,value\n{A},1,2\n",
        ", line 1: found the columns value, value, expected each name once",
    ),
    "quotes over lines": (f'sequence,value\n"{A}",1\n"{B}\n",2\n', ", from line 2 on: found quotes around line ends"),
    "UTF-16": (f"{A}\t1\n".encode("utf-16"), ": found UTF-16 text, expected text (UTF-8), plain or gz"),
    "Excel": (b"PK\x03\x04...", ": found a zip or Excel file, expected text (UTF-8), plain or gz"),
    "one long cell": ('"' + "A" * (1 << 18) + "\n", ": found no table (field larger than field limit"),
    "binary": (b"ACGT\0\1\2\n", ": found binary data, expected text, plain or gz"),
    "cut short": (gzip.compress(f"{A}\t1\n".encode() * 999)[:-9], ": the gz file is damaged or cut short"),
    "FASTA without values": (f">a 1\n{A}\n>b\n{B}\n", ", line 3: found no value beside 'b', expected '>name value'"),
    "FASTA that begins with a sequence": (f"{A}\n>a 1\n", ", line 1: found one column"),
    "an empty record": (f">a 1\n>b 2\n{A}\n", ", line 1: found an empty sequence"),
    "protein": (">a 1\nMKLV\n", ", line 1: found the letter 'M' in 'MKLV'"),
}


def fails(capsys, *words):
    """The message of a command that must end with exit code 2 and one line."""
    code = main([str(word) for word in words])
    output = capsys.readouterr()
    assert (code, output.out, output.err.count("\n")) == (2, "", 1), output.err
    return output.err.removeprefix(f"proformer {words[0]}: error: ").rstrip("\n")


@pytest.mark.parametrize("what", FILES)
def test_files_to_prepare(what, tmp_path, capsys):
    text, message = FILES[what]
    file = tmp_path / "mine.txt"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    before = file.read_bytes()
    found = fails(capsys, "prepare", "--sequences", file, "--out", tmp_path / "out/all.safetensors")
    assert found.startswith(f"{file}{message}"), found
    assert file.read_bytes() == before
    assert not list((tmp_path / "out").rglob("*"))


LAYOUTS = {
    "longer than the layout": (
        f"{'A' * 230}\t1\n",
        ["--length", 100],
        "found 230 nt after trimming, expected at most 100; --length 230 (length: 230) keeps it",
    ),
    "no flanks": (
        f"{A}\t1\n",
        ["--flanks", *FLANKS],
        f"found '{A}', shorter than the flanks' 30 nt, expected a sequence that begins with {LEFT} and ends w",
    ),
    "another flank": (
        f"{LEFT[1:]}{A}{RIGHT}\t1\n",
        ["--flanks", *FLANKS],
        f"found '{LEFT[1:]}{A}{RIGHT}', expected a sequence that begins with {LEFT} and ends with",
    ),
    "half a flank": (f"{LEFT}{A}{RIGHT[:-1]}\t1\n", ["--flanks", *FLANKS], f"found '{LEFT}{A}{RIGHT[:-1]}', expected"),
    "nothing between the flanks": (
        f"{LEFT}{RIGHT}\t1\n",
        ["--flanks", *FLANKS],
        "found nothing between the flanks, expected a sequence",
    ),
    "targets without a header": (
        f"{A}\t1\n",
        ["--targets", "dev"],
        "found no header line, expected one that names dev",
    ),
}


@pytest.mark.parametrize("what", LAYOUTS)
def test_files_that_do_not_fit_the_options(what, tmp_path, capsys):
    text, options, message = LAYOUTS[what]
    (tmp_path / "mine.txt").write_text(text)
    found = fails(capsys, "prepare", "--sequences", tmp_path / "mine.txt", "--out", tmp_path / "s", *options)
    assert found.startswith(f"{tmp_path}/mine.txt, line 1: {message}"), found


def test_a_column_that_is_not_there(tmp_path, capsys):
    (tmp_path / "mine.csv").write_text(f"seq,dev,hk\n{A},1,2\n")
    found = fails(capsys, "prepare", "--sequences", tmp_path / "mine.csv", "--out", tmp_path / "s", "--targets", "devl")
    assert found == f"{tmp_path}/mine.csv, line 1: no column 'devl'; did you mean 'dev'?"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("a\t1\n", "mine.fa, line 3: found no values of 'b'"),
        ("a\t1\na\t2\n", "values.tsv, line 2: found 'a' again, expected each name once"),
        ("a\t1\nb\n", "values.tsv, line 2: found one column, expected 2, as in the first line"),
        ("a\t1\nb\thigh\n", "mine.fa, line 3: found 'high', expected a finite number"),
    ],
)
def test_values_beside_fasta(values, message, tmp_path, capsys):
    (tmp_path / "mine.fa").write_text(f">a\n{A}\n>b\n{B}\n")
    (tmp_path / "values.tsv").write_text(values)
    words = [
        "prepare",
        "--sequences",
        tmp_path / "mine.fa",
        "--values",
        tmp_path / "values.tsv",
        "--out",
        tmp_path / "s",
    ]
    assert fails(capsys, *words).startswith(f"{tmp_path}/{message}")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model folder with the DREAM flanks."""
    folder = tmp_path_factory.mktemp("model")
    config = resolve({"length": 100, "kmer": 3, "dim": 8, "heads": 1, "blocks": 1, "expression_heads": 4})
    layout = {"length": 100, "flanks": list(FLANKS), "too_long": "drop", "wrong_flank": "drop"}
    description = {"model": config, "layout": layout, "task": asdict(Task(mean=(11.0,), sd=(2.0,)))}
    write_folder(folder, build(config).state_dict(), description)
    return folder


PREDICTED = {
    "no flanks": (
        f"{LEFT}ACGT{RIGHT}\n{'ACGT' * 10}\n",
        f", line 2: found '{'ACGT' * 10}', expected a sequence that begins with {LEFT} and ends with {RIGHT}; "
        "--trimmed is for sequences without flanks",
    ),
    "too long": (
        f"{LEFT}{'A' * 101}{RIGHT}\n",
        ", line 1: found 101 nt after trimming, expected at most 100",
    ),
    "a header without a sequence": FILES["a header without a sequence"],
    "the first wrong line": (f"{LEFT}ACGT{RIGHT}\nACGT\n{LEFT}ACXT{RIGHT}\n", ", line 2: found 'ACGT', shorter"),
    "a letter in FASTA": (f">a\n{LEFT}ACGT{RIGHT}\n>b\n{LEFT}ACXT{RIGHT}\n", ", line 3: found the letter 'X'"),
}


@pytest.mark.parametrize("what", PREDICTED)
def test_files_to_predict(what, model, tmp_path, capsys):
    text, message = PREDICTED[what]
    (tmp_path / "mine.txt").write_text(text)
    words = ["predict", "--model", model, "--sequences", tmp_path / "mine.txt", "--out", tmp_path / "out.tsv"]
    found = fails(capsys, *words, "--threads", 1)
    assert found.startswith(f"{tmp_path}/mine.txt{message}"), found
    assert not (tmp_path / "out.tsv").exists()


def test_nothing_is_printed_of_a_wrong_file(model, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("ACGT\n")
    assert fails(capsys, "predict", "--model", model, "--sequences", tmp_path / "mine.txt", "--threads", 1)


FOLDERS = {
    "no description": ("model.json", None, r"model\.json: no such file; a model folder has model\.json and model\.saf"),
    "no weights": (
        "model.safetensors",
        None,
        r"model\.safetensors: no such file; a model folder has model\.json",
    ),
    "not JSON": ("model.json", "{", "not a model folder, or damaged"),
    "another layout": (
        "model.json",
        {"layout": {"length": -1}},
        r"layout: length is -1, expected a whole number of at",
    ),
    "another task": (
        "model.json",
        {"task": {"kind": "number"}},
        "task: kind is 'number', expected one of value, values",
    ),
    "another model": (
        "model.json",
        {"model": {"model": "proformr"}},
        "no file proformr.py .* did you mean 'proformer'",
    ),
}


@pytest.mark.parametrize("what", FOLDERS)
def test_model_folders(what, model, tmp_path, capsys):
    import shutil

    folder = shutil.copytree(model, tmp_path / "model")
    name, change, message = FOLDERS[what]
    if change is None:
        (folder / name).unlink()
    elif isinstance(change, str):
        (folder / name).write_text(change)
    else:
        (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | change))
    (tmp_path / "a.txt").write_text(f"{LEFT}ACGT{RIGHT}\n")
    found = fails(
        capsys, "predict", "--model", folder, "--sequences", tmp_path / "a.txt", "--out", tmp_path / "out.tsv"
    )
    assert re.search(message, found), found


WORDS = {
    "a verb": (["predcit"], "no verb 'predcit'; did you mean 'predict'?"),
    "an option": (
        ["train", "--train", "a", "--validation", "b", "--out", "c", "--chekpoint", "d"],
        "no option --chekpoint; did you mean '--checkpoint'?",
    ),
    "an option twice": (
        ["predict", "--model", "m", "--out", "a.tsv", "--out", "b.tsv"],
        "argument --out: found it twice, expected it once",
    ),
    "a missing option": (["train", "--train", "a"], "the following arguments are required: --validation, --out"),
    "threads": (
        ["predict", "--model", "m", "--threads", 100_000],
        "argument --threads: found '100000', expected a whole number of at least 1 and at most 1,024",
    ),
    "a device": (
        ["predict", "--model", "m", "--device", "gpu"],
        "argument --device: found 'gpu', expected one of auto",
    ),
    "a batch": (
        ["predict", "--model", "m", "--batch-size", "1_0"],
        "argument --batch-size: found '1_0', expected a whole",
    ),
    "flanks": (
        ["prepare", "--sequences", "a", "--out", "b", "--flanks", "ACN", "T"],
        "argument --flanks: found 'ACN', exp",
    ),
    "no way to split": (
        ["split", "--store", "a", "--out", "b"],
        "found none, expected one of --fractions, --chromosomes",
    ),
    "two ways to split": (
        ["split", "--store", "a", "--out", "b", "--folds", 3, 0, "--fractions", 1],
        "found --fractions and --folds, expected one of --fractions, --chromosomes, --folds, --parts",
    ),
    "no file": (["prepare", "--sequences", "nowhere.txt", "--out", "b"], "nowhere.txt: no such file"),
    "no store": (["split", "--store", "nowhere", "--out", "b", "--fractions", 1], "nowhere: no such store"),
    "a config that is no file": (
        ["train", "--train", "a", "--validation", "b", "--out", "c", "--config", "nowhere.yaml"],
        "nowhere.yaml: no such file",
    ),
    "a config of a list": (
        ["describe", "--config", "{a: [}", "--out", "c"],
        "--config:1: not valid YAML",
    ),
    "a config of aliases that unfold without end": (
        [
            "describe",
            "--config",
            "{a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9], b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a], "
            + ", ".join(f"{n}: &{n} [{', '.join(['*' + m] * 9)}]" for m, n in zip("bcdefgh", "cdefghi", strict=True))
            + "}",
            "--out",
            "c",
        ],
        "--config: found more than 1,000,000 values",
    ),
    "a config that is too deep": (
        ["describe", "--config", "{a: " + "[" * 100_000, "--out", "c"],
        "--config: nested too deeply",
    ),
    "settings of nothing": (["config", "modle"], "found 'modle', expected model:NAME, training or task"),
}


@pytest.mark.parametrize("what", WORDS)
def test_words(what, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words, message = WORDS[what]
    found = fails(capsys, *words).removeprefix("proformer: error: ")
    assert found.startswith(message), found
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{training: {epochs: 1.5}}", "training: epochs is 1.5, expected a whole number of at least 1"),
        ("{training: {epoch: 1}}", "training: unknown key 'epoch'; did you mean 'epochs'?"),
        ("{model: {model: legnet, widhts: [8]}}", "model legnet: unknown key 'widhts'; did you mean 'widths'?"),
        ("{trainig: {}}", "config: unknown key 'trainig'; did you mean 'training'?"),
        ("{model: {heads: 3, dim: 8}, recipe: fnal}", "model 'proformer': no recipe 'fnal'; did you mean 'final'?"),
    ],
)
def test_settings_of_a_training(config, message, stores, tmp_path, capsys):
    words = ["train", "--train", stores[0], "--validation", stores[1], "--out", tmp_path / "m", "--config", config]
    assert fails(capsys, *words, "--threads", 1) == message
    assert not (tmp_path / "m/model.json").exists()
