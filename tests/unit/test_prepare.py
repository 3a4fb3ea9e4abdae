"""Reading published files, encoding them into stores, splitting stores; and every way in which a file can be wrong."""

import gzip
import re

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from proformer.datasets.parts import split
from proformer.datasets.prepare import Layout, prepare
from proformer.datasets.rows import read_rows
from proformer.datasets.store import StoreWriter, open_store
from proformer.errors import InputError
from proformer.sequences import decode

LEFT, RIGHT = FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")
LAYOUT = Layout(length=100, flanks=FLANKS)
GOOD = f"{LEFT}ACGTACGTAC{RIGHT}\t11.5\n"


def write(path, text):
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_store_holds_what_the_file_says(tmp_path, promoters, promoter_file):
    counts = prepare(promoter_file, tmp_path / "all.safetensors", LAYOUT)
    store = open_store(tmp_path / "all.safetensors")
    assert [decode(codes) for codes in store.codes] == [sequence[17:-13] for sequence, _ in promoters]
    assert store.target[:, 0, 0] == pytest.approx([value for _, value in promoters])
    assert dict(zip(counts["what"], counts["count"], strict=True)) == {
        "rows": 300, "wrong_flank": 0, "too_long": 0, "kept": 300, "with_n": 0,
    }  # fmt: skip
    assert load_file(tmp_path / "all.safetensors")["codes"].shape == (300, 100)  # any safetensors reader can open it


def test_small_blocks_change_nothing(tmp_path, promoter_file):
    whole = [rows.text(i) for rows in read_rows(promoter_file) for i in range(len(rows))]
    pieces = list(read_rows(promoter_file, size=64))
    assert len(pieces) > 100
    assert [rows.text(i) for rows in pieces for i in range(len(rows))] == whole


@pytest.mark.parametrize("change", ["gz", "windows", "lower", "no newline at the end"])
def test_harmless_variants_give_the_same_rows(tmp_path, promoter_file, change):
    text = promoter_file.read_bytes()
    variant = {
        "gz": gzip.compress(text),
        "windows": text.replace(b"\n", b"\r\n"),
        "lower": text.lower(),
        "no newline at the end": text.rstrip(b"\n"),
    }[change]
    for name, content in (("a.txt", text), ("b.txt", variant)):
        prepare(write(tmp_path / name, content), tmp_path / f"{name}.safetensors", LAYOUT)
    a, b = (open_store(tmp_path / f"{name}.safetensors") for name in ("a.txt", "b.txt"))
    for name in a.columns:
        assert (a.columns[name] == b.columns[name]).all()


def test_dropped_rows_are_counted(tmp_path):
    text = GOOD + f"{LEFT}{'A' * 101}{RIGHT}\t1\n" + f"{LEFT[1:]}ACGT{RIGHT}\t1\n" + f"{LEFT}ACGNT{RIGHT}\t1\n"
    layout = Layout(length=100, flanks=FLANKS, too_long="drop", wrong_flank="drop")
    counts = prepare(write(tmp_path / "a.txt", text), tmp_path / "all.safetensors", layout).set_index("what")["count"]
    assert counts.to_dict() == {"rows": 4, "wrong_flank": 1, "too_long": 1, "kept": 2, "with_n": 1}
    assert open_store(tmp_path / "all.safetensors").target.ravel().tolist() == [11.5, 1.0]


def test_copies_and_reverse_complements_never_straddle_the_split(tmp_path):
    random = np.random.default_rng(1)
    inserts = ["".join(random.choice(list("ACGT"), n)) for n in random.integers(60, 90, 400)]
    complement = str.maketrans("ACGT", "TGCA")
    rows = inserts + inserts[:100] + [insert[::-1].translate(complement) for insert in inserts[100:300]]
    source = write(tmp_path / "a.txt", "".join(f"{s}\t{i % 18}\n" for i, s in enumerate(rows)))
    prepare(source, tmp_path / "all.safetensors", Layout(length=100))
    parts = [tmp_path / "train.safetensors", tmp_path / "validation.safetensors"]
    counts = split(tmp_path / "all.safetensors", parts, (0.5, 0.5), seed=3)
    keys = [set(open_store(part).columns["group"].tolist()) for part in parts]
    assert not keys[0] & keys[1]
    assert len(keys[0] | keys[1]) == 400
    assert counts["rows"].sum() == 700
    assert counts["distinct"].tolist() == [len(k) for k in keys]


def test_split_follows_the_seed_and_the_fractions(tmp_path, promoter_file):
    prepare(promoter_file, tmp_path / "all.safetensors", LAYOUT)

    def draw(seed, *fractions):
        outs = [tmp_path / f"{seed}_{i}.safetensors" for i in range(len(fractions))]
        split(tmp_path / "all.safetensors", outs, fractions, seed)
        return [open_store(out).columns["group"].tolist() for out in outs]

    assert draw(1, 0.5, 0.3) == draw(1, 0.5, 0.3)
    assert draw(1, 0.5, 0.3) != draw(2, 0.5, 0.3)
    train, validation = draw(3, 0.5, 0.3)
    assert len(train) == pytest.approx(150, abs=35)
    assert len(validation) == pytest.approx(90, abs=35)
    assert sum(map(len, draw(4, 0.6, 0.4))) == 300


def test_standardisation_is_that_of_the_training_part(tmp_path, stores):
    train, validation = map(open_store, stores)
    target = train.target.astype(float)
    assert validation.task == train.task
    assert [*train.task.mean, *train.task.sd] == pytest.approx([target.mean(), target.std()])


@pytest.mark.parametrize(
    ("fractions", "message"),
    [((0.9, 0.2), "add up to at most 1"), ((0.0, 0.5), "the first positive"), ((0.99, 0.001), "rows fall to b")],
)
def test_impossible_splits(tmp_path, promoter_file, fractions, message):
    prepare(promoter_file, tmp_path / "all.safetensors", LAYOUT)
    with pytest.raises(InputError, match=message):
        split(tmp_path / "all.safetensors", [tmp_path / "a.safetensors", tmp_path / "b.safetensors"], fractions, 1)


def test_a_store_cut_short_is_refused(tmp_path, stores):
    whole = stores[0].read_bytes()
    for size in (0, 4, 1000, len(whole) - 1):
        write(tmp_path / "cut.safetensors", whole[:size])
        with pytest.raises(InputError, match="not a store, cut short or damaged"):
            open_store(tmp_path / "cut.safetensors")


@pytest.mark.parametrize("place", ["header", "codes", "target", "group"])
def test_changed_bytes_are_noticed(tmp_path, stores, place):
    """A header when the store is opened, a column when it is checked, each time the file is another one."""
    data = bytearray(stores[0].read_bytes())
    store = open_store(stores[0]).checked()
    at = data.index(b"expression") if place == "header" else store.columns[place].offset + 5
    data[at] ^= 1
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(data)
    with pytest.raises(InputError, match="damaged" if place == "header" else f"damaged: the column {place}"):
        open_store(copy).checked()
    data[at] ^= 1
    copy.write_bytes(data)
    assert (open_store(copy).checked().codes == store.codes).all()


def test_a_failing_writer_leaves_nothing(tmp_path):
    def write_two_widths():
        with StoreWriter(tmp_path / "a.safetensors") as writer:
            writer.append(codes=np.zeros((2, 5), np.uint8))
            writer.append(codes=np.zeros((2, 6), np.uint8))

    with pytest.raises(ValueError, match="codes"):
        write_two_widths()
    assert list(tmp_path.iterdir()) == []


def test_disk_full_while_writing(tmp_path, proformer, promoter_file):
    """A file-size limit stands in for a full disk: the write fails in the middle, and nothing is left."""
    import resource

    def limit():
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (80_000, 80_000))

    out = tmp_path / "out" / "all.safetensors"
    done = proformer("prepare", "--sequences", promoter_file, "--out", out, "--flanks", *FLANKS, preexec_fn=limit)
    assert done.returncode == 2
    assert re.fullmatch(r"proformer prepare: error: .*File too large.*\n", done.stderr)
    assert list(out.parent.iterdir()) == []


def test_fasta_rows_have_names_and_line_numbers(tmp_path):
    path = write(tmp_path / "a.fa", ">one first\nACGT\nAC\n>two\nGG\n>three\nGA-T\n")
    [rows] = read_rows(path)
    assert rows.labels() == ["one", "two", "three"]
    assert [rows.text(i) for i in range(3)] == ["ACGTAC", "GG", "GA-T"]
    with pytest.raises(InputError, match=r"line 6: found the letter '-'"):
        rows.check_letters()


def test_counts_are_a_table(tmp_path, proformer, promoter_file):
    done = proformer(
        "prepare", "--sequences", promoter_file, "--out", tmp_path / "s.safetensors", "--flanks", *FLANKS,
        "--counts", tmp_path / "counts.tsv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(tmp_path / "counts.tsv", sep="\t").set_index("what").loc["kept", "count"] == 300
