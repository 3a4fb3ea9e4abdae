"""Every way in which an experiment's files can be wrong: one line says what and where, and nothing is left behind."""

import gzip
import shutil
from collections import namedtuple

import numpy as np
import pandas as pd
import pyBigWig
import pysam
import pytest

from proformer.atac.contigs import make_genome, open_genome, translate
from proformer.atac.fragments import Filter, from_bam, from_text, read_bed, read_fragments
from proformer.atac.lengths import unlike_atac
from proformer.atac.peaks import call_peaks, read_summits
from proformer.atac.reads import align, build_index, check_mates, check_sorted, mark, trim
from proformer.atac.samples import check_species, read_samples
from proformer.atac.signal import Signal, write_signal
from proformer.atac.tools import pipeline, require
from proformer.atac.windows import Windows, make_windows, on_blacklist
from proformer.cli import main
from proformer.errors import InputError

LENGTH = 20_000


@pytest.fixture(scope="module")
def letters():
    return "".join(np.random.default_rng(1).choice(list("ACGT"), LENGTH))


@pytest.fixture(scope="module")
def genome(letters, tmp_path_factory):
    folder = tmp_path_factory.mktemp("genome")
    (folder / "source.fa").write_text(f">I\n{letters}\n>II\n{letters[::-1]}\n")
    make_genome(folder / "source.fa", folder / "genome.fa")
    return open_genome(folder / "genome.fa")


def fastq(path, sequences, name="r"):
    text = "".join(f"@{name}{i}\n{s}\n+\n{'I' * len(s)}\n" for i, s in enumerate(sequences))
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path


def random_reads(number, seed=0):
    random = np.random.default_rng(seed)
    return ["".join(random.choice(list("ACGT"), 50)) for _ in range(number)]


def write(path, text):
    path.write_text(text)
    return path


def remains(folder):
    """Files below a folder, but for inputs that begin with `in`."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and not path.name.startswith("in"))


def test_mates_of_different_number(tmp_path):
    one, two = (fastq(tmp_path / f"in_{n}.fastq.gz", random_reads(n)) for n in (20, 18))
    with pytest.raises(InputError, match=r"in_18.fastq.gz: found 18 reads, expected 20, as many as .*in_20.fastq.gz"):
        check_mates(one, two)


def test_mates_of_other_reads(tmp_path):
    one, two = (fastq(tmp_path / f"in_{name}.fastq.gz", random_reads(5), name) for name in "ab")
    with pytest.raises(InputError, match="found read 'b0' first, expected 'a0'"):
        check_mates(one, two)


def test_fastq_gz_cut_short(tmp_path):
    whole = fastq(tmp_path / "in_1.fastq.gz", random_reads(500))
    cut = tmp_path / "in_2.fastq.gz"
    cut.write_bytes(whole.read_bytes()[:-2000])
    with pytest.raises(InputError, match=r"in_2.fastq.gz: the gz file is damaged or cut short"):
        check_mates(whole, cut)
    half = write(tmp_path / "in_3.fastq", gzip.decompress(whole.read_bytes()).decode().rpartition("+")[0])
    with pytest.raises(InputError, match=r"in_3.fastq: found 1998 lines, expected a multiple of 4"):
        check_mates(half, whole)


def test_one_mate_given_twice(tmp_path):
    one, two = (fastq(tmp_path / f"in_{mate}.fastq.gz", random_reads(5)) for mate in (1, 2))
    with pytest.raises(InputError, match=r"in_2.fastq.gz: found the same sequences as in .*in_1.fastq.gz"):
        check_mates(one, two)
    (tmp_path / "in_link.gz").symlink_to(one)
    with pytest.raises(InputError, match=r"in_link.gz: is the same file as .*in_1.fastq.gz"):
        check_mates(one, tmp_path / "in_link.gz")


@pytest.mark.parametrize(
    ("last", "message"),
    [
        ("@r\nACGT\n+\nIII\n", "line 8: found 'III', expected as many qualities as bases"),
        ("@r\nACGT\n+\nII", "line 8: found 'II', expected as many qualities"),
        ("@r\nACGT\nIIII\n+\n", "line 5: found '@r', expected a FASTQ record"),
        ("r\nACGT\n+\nIIII\n", "line 5: found 'r', expected a FASTQ record"),
        ("@r\nACGT\n+\n", "found 7 lines, expected a multiple of 4"),
    ],
)
def test_fastq_records_that_are_none(tmp_path, last, message):
    whole = write(tmp_path / "in_1.fastq", "@q\nAC\n+\nII\n@r\nACGT\n+\nIIII\n")
    with pytest.raises(InputError, match=rf"in_2.fastq.*{message}"):
        check_mates(whole, write(tmp_path / "in_2.fastq", "@q\nGG\n+\nII\n" + last))


def test_fastq_missing_or_empty(tmp_path):
    one = fastq(tmp_path / "in_1.fastq.gz", random_reads(5))
    with pytest.raises(InputError, match=r"in_2.fastq.gz: no such file"):
        check_mates(one, tmp_path / "in_2.fastq.gz")
    with pytest.raises(InputError, match=r"in_3.fastq: the file is empty"):
        check_mates(one, write(tmp_path / "in_3.fastq", ""))


def test_a_contig_may_be_called_na_but_has_a_name(tmp_path):
    (tmp_path / "source.fa").write_text(">NA\nACGTACGT\n")
    make_genome(tmp_path / "source.fa", tmp_path / "genome.fa")
    genome = open_genome(tmp_path / "genome.fa")
    assert genome.names == ["NA"]
    fragments = write(tmp_path / "f.bed", "NA\t1\t5\n")
    assert [contig for contig, *_ in read_fragments(fragments, genome)] == ["NA"]
    index = tmp_path / "genome.fa.fai"
    index.write_text(index.read_text().removeprefix("NA"))
    with pytest.raises(InputError, match="not the index"):
        open_genome(genome.path)


def test_reads_of_another_genome(genome, tmp_path):
    """Stopped with the rate and the genome's name, and without a BAM file."""
    build_index(genome.path, tmp_path / "in/in", 1)
    reads = tuple(fastq(tmp_path / f"in_{mate}.fastq.gz", random_reads(200, 10 + mate)) for mate in (1, 2))
    message = r"in_1.fastq.gz: 0.0% of the reads align to the genome mm10, expected at least 30%"
    with pytest.raises(InputError, match=message):
        align(reads, tmp_path / "in/in", tmp_path / "a.bam", sample="a", genome_name="mm10", logs=tmp_path / "logs")
    assert remains(tmp_path) == ["a.bowtie2.txt", "a.markdup.txt"]


def test_aligner_that_fails_says_why(genome, tmp_path):
    reads = tuple(fastq(tmp_path / f"in_{mate}.fastq.gz", random_reads(20, mate)) for mate in (1, 2))
    with pytest.raises(
        InputError, match=r"bowtie2 failed \(exit code \d+\): .*does not exist or is not a Bowtie 2 index"
    ):
        align(reads, tmp_path / "nowhere", tmp_path / "a.bam", sample="a", genome_name="x", logs=tmp_path / "logs")
    assert not (tmp_path / "a.bam").exists()


def test_no_room_for_the_index(genome, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 3_000_000))
    with pytest.raises(InputError, match=r"index: 3 MB free, about 17 MB needed for the index of .*genome.fa"):
        build_index(genome.path, tmp_path / "index/genome", 1)
    assert remains(tmp_path) == []


def test_no_read_survives_trimming(tmp_path):
    reads = tuple(fastq(tmp_path / f"in_{mate}.fastq.gz", ["ACGTACGT"] * 50) for mate in (1, 2))
    with pytest.raises(InputError, match="fastp leaves no read of 15 bases or more"):
        trim(reads, (tmp_path / "1.gz", tmp_path / "2.gz"), tmp_path / "in.json", 1)
    assert remains(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "genome", "message"),
    [
        ("chrI", ["I", "II"], r"blacklist.bed: found contig 'chrI', the genome has 'I'; set contig_names: strip-chr"),
        ("I", ["chrI"], r"blacklist.bed: found contig 'I', the genome has 'chrI'; set contig_names: add-chr"),
        ("NC_1", ["I"], r"blacklist.bed: found contig 'NC_1', the genome has 'I' and no contig in common"),
    ],
)
def test_contig_names_that_disagree(name, genome, message):
    with pytest.raises(InputError, match=message):
        translate([name], None, genome, "blacklist.bed")


def test_names_that_disagree_in_one_contig_only():
    with pytest.raises(InputError, match="found contig 'chrII', the genome has 'II'"):
        translate(["I", "chrII"], None, ["I", "II"], "x")
    assert translate(["I", "chrUn"], None, ["I", "II"], "x") == {"I": "I"}


def test_unknown_mapping(tmp_path):
    with pytest.raises(InputError, match="contig_names: 'ucsc' is no file; expected add-chr, strip-chr or a table"):
        translate(["I"], "ucsc", ["I"], "x")
    with pytest.raises(InputError, match=r"in.tsv: expected two columns, from and to"):
        translate(["I"], str(write(tmp_path / "in.tsv", "I\tII\tIII\n")), ["I"], "x")


def test_blacklist_bam_and_fragments_name_their_contigs(genome, tmp_path):
    black = write(tmp_path / "in_black.bed", "chrI\t10\t20\n")
    with pytest.raises(InputError, match=r"in_black.bed: found contig 'chrI'.*strip-chr"):
        read_bed(black, genome)
    with pytest.raises(InputError, match=r"in_f.bed: found contig 'chrI'.*strip-chr"):
        from_text(write(tmp_path / "in_f.bed", "chrI\t10\t20\n"), genome, tmp_path / "out.gz", Filter(), "a")
    bam = bam_file(tmp_path / "in.bam", "coordinate", name="chrI")
    with pytest.raises(InputError, match=r"in.bam: found contig 'chrI'.*strip-chr"):
        from_bam(bam, genome, tmp_path / "out.gz", Filter(), "a")
    assert remains(tmp_path) == []


def bam_file(path, order, name="I", length=LENGTH, pairs=0, contigs=()):
    """A BAM of proper pairs without MQ tags, all on the first contig."""
    names = [{"SN": name, "LN": length}, *({"SN": other, "LN": LENGTH} for other in contigs)]
    header = {"HD": {"VN": "1.6", "SO": order}, "SQ": names}
    with pysam.AlignmentFile(str(path), "wb", header=header) as out:
        for i in range(2 * pairs):
            read = pysam.AlignedSegment(out.header)
            read.query_name, read.query_sequence = f"r{i // 2}", "ACGTACGTAC"
            read.flag, read.mapping_quality, read.cigarstring = (99, 147)[i % 2], 60, "10M"
            read.reference_id = read.next_reference_id = 0
            read.reference_start, read.next_reference_start = (100, 200) if i % 2 == 0 else (200, 100)
            read.template_length = 110 if i % 2 == 0 else -110
            out.write(read)
    return path


@pytest.mark.parametrize("order", ["unsorted", "queryname"])
def test_unsorted_bam(genome, tmp_path, order):
    bam = bam_file(tmp_path / "in.bam", order)
    for use in (
        lambda: check_sorted(bam),
        lambda: mark(bam, tmp_path / "out.bam", sample="a", logs=tmp_path),
        lambda: from_bam(bam, genome, tmp_path / "out.gz", Filter(), "a"),
    ):
        with pytest.raises(InputError, match=rf"in.bam: found the sort order '{order}', expected 'coordinate'"):
            use()
    assert remains(tmp_path) == []


def test_no_bam_at_all(tmp_path):
    with pytest.raises(InputError, match=r"in.bam: not a readable BAM file"):
        check_sorted(write(tmp_path / "in.bam", "text"))


def test_bam_of_another_genome(genome, tmp_path):
    bam = bam_file(tmp_path / "in.bam", "coordinate", length=LENGTH + 1)
    with pytest.raises(InputError, match=r"in.bam: I has 20001 bp, I of .*genome.fa has 20000; is it another genome"):
        from_bam(bam, genome, tmp_path / "out.gz", Filter(), "a")
    assert remains(tmp_path) == []


def test_bam_without_mate_qualities(genome, tmp_path):
    bam = bam_file(tmp_path / "in.bam", "coordinate", pairs=3)
    with pytest.raises(InputError, match=r"in.bam: found no MQ tag .* `proformer atac mark` adds it"):
        from_bam(bam, genome, tmp_path / "out.gz", Filter(), "a")
    mark(bam, tmp_path / "in.marked.bam", sample="in", logs=tmp_path)
    counts = from_bam(tmp_path / "in.marked.bam", genome, tmp_path / "out.gz", Filter(), "a")
    assert counts["count"].tolist() == [3, 3, 3, 1, 1]


def test_contigs_that_the_genome_lacks_are_named_with_their_fragments(genome, tmp_path, capfd):
    text = "I\t10\t90\nMT\t10\t90\nMT\t20\t90\nUn\t10\t90\n"
    path = write(tmp_path / "in.bed", text)
    from_text(path, genome, tmp_path / "out.gz", Filter(exclude=("Un",)), "a")
    assert [line for line in capfd.readouterr().err.splitlines() if "warning" in line] == [
        f"warning: {path}: contig MT with 2 fragments is not in the genome"
    ]


def test_excluded_contigs_must_exist(genome, tmp_path):
    path = write(tmp_path / "in.bed", "I\t10\t90\nUn\t10\t90\n")
    with pytest.raises(InputError, match="exclude: found contig 'III', which the genome does not have"):
        from_text(path, genome, tmp_path / "out.gz", Filter(exclude=("III",)), "a")
    from_text(path, genome, tmp_path / "out.gz", Filter(exclude=("II", "Un", "chrM")), "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("I\t10\t20\nI\t5\t9\n", "line 2: found I, 5 to 9; expected fragments sorted"),
        ("II\t10\t20\nI\t5\t9\n", "line 2: found I, 5 to 9; expected fragments sorted"),
        ("I\t10\t20\nII\t5\t9\nI\t30\t40\n", "line 3: found I, 30 to 40; expected fragments sorted"),
        ("I\t10\t20001\n", "line 1: found I, 10 to 20001; .* within 20000 bp"),
        ("I\t10\t10\n", "line 1: found I, 10 to 10"),
        ("I\t10\tx\n", "not a file of fragments"),
        ("III\t10\t20\n", "found no contig 'III'"),
        ("", "found no fragment, expected at least one"),
    ],
)
def test_pooled_fragments_that_are_none(genome, tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        write_signal(write(tmp_path / "in.bed", text), genome, tmp_path / "out.bw")
    assert remains(tmp_path) == []


def test_bam_without_a_good_pair(genome, tmp_path):
    with pytest.raises(InputError, match="no fragment passes the filter"):
        from_bam(bam_file(tmp_path / "in.bam", "coordinate"), genome, tmp_path / "out.gz", Filter(), "a")
    assert remains(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("I\t5\n", r"line 1: found \"I\s5\", expected contig, start and end"),
        ("# head\nI\t5\t9\nI\tx\t9\n", r"line 3: found \"I\sx\s9\""),
        ("I\t9\t9\n", "line 1: found start 9 and end 9"),
        ("I\t1\t9\nI\t19990\t20001\n", "line 2: found an end at 20001, expected I with 20000 bp, as in the genome"),
        ("I\t1_0\t90\n", "line 1: found .*, expected contig, start and end"),
        ("I\t1\t9\tII\t20\t30\n", "line 1: found .* expected two ends on one contig"),
        ("# nothing\n", "found no fragment, expected at least one"),
        ("", "the file is empty"),
    ],
)
def test_fragments_files_that_are_none(genome, tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        from_text(write(tmp_path / "in.bed", text), genome, tmp_path / "out.gz", Filter(), "a")
    assert remains(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "in.bed: the peak file is empty, expected at least one peak"),
        ("# head\n", "in.bed: the peak file has no peak"),
        ("I\tx\t9\n", "in.bed, line 1: found 'I.*, expected contig, start, end"),
        ("I\t5\t9\nI\t19990\t20020\n", r"in.bed, line 2: found a summit at 20005, I has 20000 bp"),
        ("chrI\t5\t9\n", "in.bed: found contig 'chrI'"),
    ],
)
def test_peak_files_that_are_none(genome, tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_summits(write(tmp_path / "in.bed", text), genome)


def test_too_few_fragments_for_a_peak(tmp_path):
    (tmp_path / "in.bed.gz").write_bytes(gzip.compress(b"I\t10\t60\nI\t9000\t9100\n"))
    with pytest.raises(InputError, match=r"MACS2"):
        call_peaks(tmp_path / "in.bed.gz", tmp_path / "peaks", "bampe", LENGTH)
    assert remains(tmp_path) == []


@pytest.mark.parametrize("size", [-1e6, 0, float("nan"), float("inf")])
def test_genome_sizes_that_are_none(tmp_path, size):
    with pytest.raises(InputError, match=r"peaks: found a genome size of .* bp, expected a positive number"):
        call_peaks(tmp_path / "in.bed.gz", tmp_path / "peaks", "bampe", size)


def test_a_library_that_is_none_is_told_in_words(tmp_path):
    """A ChIP input: one hump at 155 bp, 1 % of fragments below 100 bp."""
    counts = np.zeros(2001, dtype=int)
    counts[[60, 155, 300]] = 10, 890, 100
    told = unlike_atac(counts)
    assert told.startswith("it does not look like ATAC-seq: 1.0% of the fragments are shorter than 100 bp")
    assert "most have about 155 bp" in told
    counts[[60, 155]] = 500, 300
    assert unlike_atac(counts) == ""


def bigwig_file(path, names, length=LENGTH):
    with pyBigWig.open(str(path), "w") as bigwig:
        bigwig.addHeader([(name, length) for name in names])
        bigwig.addEntries([names[0]], [10], ends=[20], values=[1.0])
    return path


def test_bigwig_without_a_contig(genome, tmp_path):
    """Named when there are peaks on the contig; no matter when there are none."""
    signal = Signal(bigwig_file(tmp_path / "in.bw", ["I"]), genome)
    with pytest.raises(InputError, match=r"in.bw: the bigWig has no contig 'II', but there are windows on it"):
        make_windows(
            pd.DataFrame({"contig": [0, 1], "summit": 5000}), genome, signal, tmp_path / "w", Windows(number=9)
        )
    assert remains(tmp_path) == []
    make_windows(pd.DataFrame({"contig": [0], "summit": 5000}), genome, signal, tmp_path / "w", Windows(number=9))


def test_bigwig_of_another_genome(genome, tmp_path):
    with pytest.raises(InputError, match=r"in.bw: found contig 'chrI', the genome has 'I'"):
        Signal(bigwig_file(tmp_path / "in.bw", ["chrI"]), genome)
    with pytest.raises(InputError, match=r"in.bw: I has 21000 bp, I of .*genome.fa has 20000"):
        Signal(bigwig_file(tmp_path / "in.bw", ["I"], 21_000), genome)
    with pytest.raises(InputError, match="not a readable bigWig file"):
        Signal(write(tmp_path / "in.bw", "text"), genome)


def test_windows_that_none_survive(genome, tmp_path):
    signal = Signal(bigwig_file(tmp_path / "in.bw", ["I", "II"]), genome)
    black = write(tmp_path / "in.bed", "I\t0\t20000\n")
    with pytest.raises(InputError, match=r"windows: not one of 9 is usable"):
        make_windows(
            pd.DataFrame({"contig": [0], "summit": [5000]}), genome, signal, tmp_path / "w", Windows(number=9),
            blacklist=black,
        )  # fmt: skip
    assert remains(tmp_path) == []


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"centre": 120}, "expected centre ≤ length ≤ reach"),
        ({"length": 2000}, "expected centre ≤ length ≤ reach"),
        ({"centre": 21}, "have no common middle"),
    ],
)
def test_windows_of_impossible_sizes(keys, message):
    with pytest.raises(InputError, match=message):
        Windows(**keys)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample\tread1\tread2\na\t1\t2\nb\t3\t4\na\t5\t6\n", r"line 4: sample 'a' is listed twice; .* line 2"),
        ("sample\tread1\tread2\na\t1\t\n", r"line 2: sample 'a' has no read2"),
        ("sample\tread2\na\t2\n", r"line 2: sample 'a' has no read1"),
        ("sample\tread1\tread2\na\t1\t1\n", r"line 2: sample 'a' names 1 for both read1 and read2"),
        ("sample\tread1\tread2\na\t\t\n", r"line 2: sample 'a' starts from nothing"),
        ("sample\tread1\tread2\tbam\na\t1\t2\t3\n", r"line 2: sample 'a' starts from reads and bam"),
        ("sample\tpeaks\na\t1\n", r"line 2: sample 'a' has no bigwig"),
        ("sample\tbam\tpeaks\tbigwig\na\t1\t\t\nb\t\t2\t3\n", r"found peaks and bigwig among 2 samples"),
        ("sample\tfragments\tshifted\na\t1\tmaybe\n", r"line 2: sample 'a': found shifted = 'maybe'"),
        ("sample\tread\na\t1\n", r"line 1: found the columns sample, read; expected"),
        ("sample\tread1\tread2\na b\t1\t2\n", r"line 2: found the sample name 'a b'"),
        ("sample\tread1\tread2\n", "found no sample"),
        ("", "not a table"),
    ],
)
def test_samples_tables(tmp_path, text, message):
    with pytest.raises(InputError, match=rf"samples.tsv.*{message}"):
        read_samples(write(tmp_path / "samples.tsv", text))


def test_any_number_of_samples_of_any_kind(tmp_path):
    text = "sample\tread1\tread2\tbam\tfragments\na\t1\t2\t\t\nb\t\t\t3\t\nc\t\t\t\t4\nd\t5\t6\t\t\n"
    table = read_samples(write(tmp_path / "samples.tsv", text))
    assert table["kind"].tolist() == ["reads", "bam", "fragments", "reads"]


def test_mouse_genome_for_human_reads():
    message = "found the genome mm10 .mouse. for human reads; .*hg38.*slip.*allow_other_species"
    with pytest.raises(InputError, match=message):
        check_species("human", "mm10")
    check_species("human", "mm10", allow_other=True)
    for species, genome in (("human", "hg38"), ("human", "hg19"), ("mouse", "mm10"), (None, "mm10"), ("human", "mine")):
        check_species(species, genome)


def test_a_contig_named_twice_is_one_line_on_the_screen(tmp_path, capfd):
    (tmp_path / "in.fa").write_text(">I\nACGTACGT\n>I\nACGT\n")
    words = ["atac", "genome", "--genome", str(tmp_path / "in.fa"), "--out", str(tmp_path / "o.fa")]
    assert main([*words, "--table", str(tmp_path / "o.tsv")]) == 2
    said = capfd.readouterr().err
    assert said.endswith("expected each name once\n")
    assert said.count("\n") == 1


def test_genomes_that_are_none(tmp_path):
    with pytest.raises(InputError, match=r"in.fa, line 1: not FASTA, expected >name"):
        make_genome(write(tmp_path / "in.fa", "ACGT\n"), tmp_path / "genome.fa")
    with pytest.raises(InputError, match=r"in2.fa: no such genome"):
        make_genome(tmp_path / "in2.fa", tmp_path / "genome.fa")
    text = "".join(np.random.default_rng(0).choice(list("ACGT"), 100_000))
    (tmp_path / "in.fa.gz").write_bytes(gzip.compress(f">a\n{text}\n".encode())[:-500])
    with pytest.raises(InputError, match=r"in.fa.gz: the gz file is damaged or cut short"):
        make_genome(tmp_path / "in.fa.gz", tmp_path / "genome.fa")
    with pytest.raises(InputError, match=r"in3.fa: cannot be indexed; are its lines of one length"):
        make_genome(write(tmp_path / "in3.fa", ">a\nACGT\nAC\nACGT\n"), tmp_path / "genome3.fa")
    with pytest.raises(InputError, match=r"in4.fa: found 3 contigs of 2 names, expected each name once"):
        make_genome(write(tmp_path / "in4.fa", ">a\nACGT\n>b\nAC\n>a\nACGT\n"), tmp_path / "genome4.fa")
    with pytest.raises(InputError, match=r"in5.fa: found 'E' in a, expected nucleotides; is it a protein"):
        make_genome(write(tmp_path / "in5.fa", ">a\nMKACEEL\n"), tmp_path / "genome5.fa")
    assert remains(tmp_path) == []


def test_a_program_that_is_not_there():
    with pytest.raises(InputError, match=r"bowtie3: program not found; .*apt-get install bowtie3; or conda install"):
        require("bowtie3")


def test_the_first_program_of_a_pipe_that_fails_is_named():
    with pytest.raises(InputError, match=r"sh failed \(exit code 3\): the error"):
        pipeline(["sh", "-c", "echo the error >&2; exit 3"], ["cat"], ["gzip", "-c"])
    with pytest.raises(InputError, match=r"sh failed \(exit code 4\)"):
        pipeline(["yes"], ["sh", "-c", "exit 4"])


def test_the_command_line_says_it_in_one_line(tmp_path, capfd):
    code = main(["atac", "check", "--reads", str(tmp_path / "a"), str(tmp_path / "b"), "--sample", "a", "--out", "x"])
    assert code == 2
    assert capfd.readouterr().err == f"proformer atac: error: {tmp_path}/a: no such file\n"


def test_windows_on_the_blacklist_leave_no_temporary_folder(genome, tmp_path):
    """pybedtools would fill the machine's temporary folder; its own is beside the output, and removed."""
    import pybedtools

    before = pybedtools.get_tempdir()
    drawn = pd.DataFrame({"contig": [0, 0, 1, 0, 0], "start": [100, 500, 100, 50, 51]})
    black = pd.DataFrame({"contig": ["I"], "start": [150], "end": [160]})
    listed = on_blacklist(drawn, 100, genome, black, tmp_path / "w")
    assert listed.tolist() == [True, False, False, False, True]
    assert list(tmp_path.iterdir()) == []
    assert pybedtools.get_tempdir() == before
