"""Verbs that turn the tracks of a genome into data sets."""

from pathlib import Path
from typing import Annotated

from proformer.cli.options import named, read_yaml
from proformer.errors import InputError
from proformer.files import Output, OutputFolder, write_table, write_text
from proformer.settings import Count, CountOrZero, Positive, read


def coverage(
    *,
    genome: Annotated[Path, "FASTA that `proformer atac genome` made"],
    out: Annotated[Output, "the store (.safetensors)"],
    tracks: Annotated[tuple[str, ...] | None, "TASK=FILE.bw, the coverage of each task"] = None,
    peaks: Annotated[tuple[str, ...] | None, "TASK=FILE.bed, the peaks of each task"] = None,
    regions: Annotated[tuple[Path, ...] | None, "BED or narrowPeak: a window around each middle or summit"] = None,
    compared: Annotated[
        tuple[str, ...] | None, "NAME/TASK=FILE.bw, tracks to score as if they were predictions"
    ] = None,
    gaps: Annotated[Path | None, "BED of what is to be left out; tiles begin anew behind each"] = None,
    exclude: Annotated[tuple[str, ...] | None, "contigs to leave out"] = None,
    contig_names: Annotated[str | None, "add-chr, strip-chr, or a table: name there, the genome's name"] = None,
    plan: Annotated[str | Path, "YAML, or a file of it: window, target, bin, rows, kind, threshold, …"] = "{}",
    counts: Annotated[Output | None, "table of what was left out"] = None,
) -> None:
    """Turn the tracks of a genome into an encoded store of profiles.

    examples:
      proformer coverage --genome genome.fa --tracks HepG2=HepG2.bw K562=K562.bw --gaps gaps.bed --exclude chrY \\
          --plan '{window: 3072, threshold: 2, test_threshold: 0, test: [chr8]}' --out coverage.safetensors
      proformer coverage --genome genome.fa --tracks HepG2=HepG2.bw --peaks HepG2=HepG2.bed \\
          --plan '{window: 3072, rows: peaks, merge: 200}' --out peaks.safetensors
      proformer coverage --genome genome.fa --peaks HepG2=HepG2.bed K562=K562.bed \\
          --plan '{window: 2048, rows: peaks, kind: binary, merge: 500}' --out labels.safetensors
      proformer coverage --genome genome.fa --tracks K562=counts.bw --regions peaks.narrowPeak background.bed \\
          --plan '{window: 3114, target: 2000, rows: regions, kind: counts and profile}' --out counts.safetensors

    Rows are tiles of the genome (the default), windows of merged peaks, or windows around given regions. Peaks also say
    which windows have one of which task (column `label` of the store).
    """
    from proformer.atac.contigs import open_genome
    from proformer.datasets.coverage import Windows, make_coverage

    files = {}
    for option, given in (("--tracks", tracks), ("--peaks", peaks), ("--compared", compared)):
        pairs = named(given or ())
        if twice := [name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1]:
            raise InputError(f"{option}: found the task {twice[0]!r} twice, expected each once")
        files[option] = {name: Path(file) for name, file in pairs}
    beside: dict[str, dict[str, Path]] = {}
    for name, file in files["--compared"].items():
        beside.setdefault(name.rpartition("/")[0], {})[name.rpartition("/")[2]] = file
    table = make_coverage(
        open_genome(genome),
        files["--tracks"],
        out,
        read(Windows, read_yaml(plan, "--plan"), "windows"),
        peaks=files["--peaks"],
        regions=regions or (),
        compared=beside,
        gaps=gaps,
        exclude=exclude or (),
        contig_names=contig_names,
    )
    write_table(counts, table)
    print(table.to_string(index=False))


def nonpeaks(
    *,
    genome: Annotated[Path, "FASTA that `proformer atac genome` made"],
    peaks: Annotated[Path, "narrowPeak or BED"],
    out: Annotated[Output, "narrowPeak of windows outside peaks"],
    counts: Annotated[Output | None, "table of what was found"] = None,
    window: Annotated[Count, "bp"] = 2114,
    stride: Annotated[Count, "bp between the starts of windows"] = 1000,
    per_peak: Annotated[Positive, "windows for each peak"] = 2.0,
    blacklist: Annotated[Path | None, "BED of regions to leave out"] = None,
    contig_names: Annotated[str | None, "add-chr, strip-chr, or a table: name there, the genome's name"] = None,
    seed: Annotated[CountOrZero, "of the draw"] = 1,
) -> None:
    """Draw windows outside peaks that have the peaks' G+C content.

    examples:
      proformer nonpeaks --genome genome.fa --peaks peaks.narrowPeak --out nonpeaks.bed --blacklist blacklist.bed
    """
    from proformer.atac.contigs import open_genome
    from proformer.datasets.nonpeaks import matched_nonpeaks

    bed, found = matched_nonpeaks(open_genome(genome), peaks, window, stride, per_peak, blacklist, seed, contig_names)
    write_text(out, bed.to_csv(sep="\t", index=False, header=False))
    write_table(counts, found)
    print(found.to_string(index=False))


def tfrecords(
    *,
    records: Annotated[tuple[Path, ...], "files PART-N.tfr (ZLIB), as Basenji writes them"],
    statistics: Annotated[Path, "their statistics.json"],
    targets: Annotated[Path, "their table of tracks, targets.txt"],
    kind: Annotated[str, "how the descriptions of the wanted tracks begin"] = "",
    out: Annotated[OutputFolder, "folder to write: genome.fa, gaps.bed, track0.bw, …, tracks.tsv"],
) -> None:
    """Write the tracks of Basenji's TFRecords as a genome with bigWigs, for `proformer coverage`.

    examples:
      proformer tfrecords --records tfrecords/*.tfr --statistics statistics.json --targets targets.txt --kind DNASE \\
          --out dnase
      proformer atac genome --genome dnase/genome.fa --out genome.fa --table contigs.tsv
      proformer coverage --genome genome.fa --tracks HepG2=dnase/track3.bw --gaps dnase/gaps.bed \\
          --plan '{window: 3072, bin: 32, test: [test]}' --out dnase.safetensors

    Each part (train, valid, test) is one contig; margins that have no targets are gaps. TensorFlow is not needed.
    """
    from proformer.datasets.tfrecords import write_genome

    table = write_genome(records, statistics, targets, kind, out)
    print(table.to_string(index=False))
