"""Verbs for data: files of sequences to stores, and stores to parts."""

from pathlib import Path
from typing import Annotated, Any, Literal

from proformer.cli.options import DREAM_FLANKS, Medium, one_of
from proformer.errors import InputError
from proformer.files import Output, write_table, write_text
from proformer.settings import Count, CountOrZero, Flanks, Length, Mismatches, Positive, Share, read


def prepare(
    *,
    sequences: Annotated[tuple[Path, ...], "files of sequences with values"],
    out: Annotated[Output, "the store (.safetensors)"],
    targets: Annotated[tuple[str, ...], "columns of values, by their names in the header line"] = (),
    values: Annotated[Path | None, "table beside a FASTA file: name, value(s); or values in the same order"] = None,
    split_by: Annotated[str, "column of chromosomes or folds, kept for `split --chromosomes`"] = "",
    repeats: Annotated[
        Literal["keep", "drop"], "what to do with rows whose sequence, values and fold stood above already"
    ] = "keep",
    counts: Annotated[Output | None, "table of what was kept and filtered"] = None,
    length: Annotated[Length | None, "nucleotides kept per strand (default: of the longest)"] = None,
    flanks: Annotated[Flanks, "constant ends, cut off"] = ("", ""),
    too_long: Annotated[Literal["error", "drop"], "what to do with sequences longer than --length"] = "error",
    wrong_flank: Annotated[
        Literal["error", "drop", "partial"],
        "what to do with rows without whole flanks; partial: cut as much of a flank as is there",
    ] = "error",
    medium: Medium = None,
) -> None:
    """Turn a file of sequences into an encoded store.

    examples:
      proformer prepare --sequences mine.tsv --out mine.safetensors
      proformer prepare --sequences mine.csv --targets dev hk --out mine.safetensors --length 249
      proformer prepare --sequences mine.fa --values mine_values.tsv --out mine.safetensors
      proformer prepare --sequences HepG2_clean.tsv --targets mean_value --split-by fold --out hepg2.safetensors \\
          --flanks AGGACCGGATCAACT CATTGCGTGAACCGA
      proformer prepare --sequences train_sequences.txt.gz --out all.safetensors \\
          --flanks TGCATTTTTTTCACATC GGTTACGGCTGTT --length 100 --too-long drop --counts counts.tsv
      proformer prepare --sequences SSWM_testdata.csv ga_testdata.csv --medium complex --out designed.safetensors \\
          --flanks TGCATTTTTTTCACATC GGTTACGGCTGTT --wrong-flank partial

    A file of sequences: TSV or CSV, plain or gz, with a header line or the sequence first; or FASTA whose names end
    with the value (`>name 3.5`, `>name|3.5`), or whose values are in a table by name (--values). With a header line,
    the column `sequence` or `seq` holds the sequence; values are the columns of --targets, else `expression`, `value`,
    `activity` or `target`, else all after the sequence. Several columns are several tasks.
    """
    from proformer.datasets.prepare import Layout, longest, prepare

    keys = {"flanks": flanks, "too_long": too_long, "wrong_flank": wrong_flank}
    size = length or longest(sequences, read(Layout, keys, "layout"), medium, targets, values)
    layout = read(Layout, {"length": size, **keys}, "layout")
    more: dict[str, Any] = {"targets": targets, "values": values, "split_by": split_by, "repeats": repeats}
    table = prepare(sequences, out, layout, medium, **more)
    if not length:
        print(f"length {size}: that of the longest sequence; shorter ones are padded with N on both sides")
    write_table(counts, table)
    print(table.to_string(index=False))


def extract(
    *,
    table: Annotated[Path, "table with a header line: sequences, and columns of values; or a tar archive"],
    column: Annotated[str, "name of the column of values, or of the archive's file"],
    out: Annotated[Output, "file to write: sequence<TAB>value, as the DREAM challenge has its files; or the file"],
) -> None:
    """Write one column of a table of sequences as a file of its own, or one file of an archive.

    examples:
      proformer extract --table data_scatter_O_Mi.csv.gz --column true_expr --out measured.txt
      proformer extract --table human_mpra_data.tar.gz --column HepG2_clean.tsv --out hepg2.tsv
    """
    from proformer.datasets.rows import column_lines
    from proformer.sources.archive import extract_member, is_archive

    if is_archive(table):
        extract_member(table, column, out)
        print(f"{column} of {table} in {out}")
        return
    lines = list(column_lines(table, column))
    write_text(out, "".join(lines))
    print(f"{len(lines):,} rows of {column} in {out}")


def split(
    *,
    store: Annotated[Path, "the store to draw from"],
    out: Annotated[tuple[Output, ...], "one store per part, training first"],
    fractions: Annotated[tuple[Share, ...] | None, "share of each part; 0: an empty part"] = None,
    chromosomes: Annotated[tuple[str, ...] | None, "of each part, with commas; '': all that are left"] = None,
    folds: Annotated[tuple[CountOrZero, ...] | None, "how many; which one (from 0) tests; nested ones"] = None,
    nested: Annotated[
        tuple[CountOrZero, ...] | None,
        "with --chromosomes of training and test: how many folds to draw of the first; which one (from 0) validates",
    ] = None,
    stretches: Annotated[
        tuple[CountOrZero, ...] | None, "with --chromosomes: stretches of so many bp fall to so many folds in turn"
    ] = None,
    outliers: Annotated[Share, "share of windows with the fewest and the most counts that are left out"] = 0.0,
    closed: Annotated[
        Positive | None, "only windows outside peaks with fewer counts than this times the 1 % quantile of peaks"
    ] = None,
    trim: Annotated[CountOrZero, "bp by which windows of the third part are shorter: their middle is kept"] = 0,
    parted: Annotated[
        Literal["drop", "error"], "rows of --chromosomes whose copy or other strand is in another part"
    ] = "drop",
    parts: Annotated[Path | None, "file with a line per row: the number of its part, or -1"] = None,
    seed: Annotated[CountOrZero, "of the draw"] = 1,
    by: Annotated[Literal["random", "chromosome"], "what to draw"] = "random",
    near: Annotated[Mismatches, "keep sequences together that differ in at most so many positions"] = 0,
    block: Annotated[Count | None, "with --by chromosome: stretches of so many bp instead of whole ones"] = None,
    counts: Annotated[Output | None, "table of the parts' sizes, means and spreads"] = None,
) -> None:
    """Draw training, validation and test parts of a store.

    examples:
      proformer split --store all.safetensors --out train.safetensors validation.safetensors test.safetensors \\
          --fractions 0.8 0.1 0.1 --near 3 --counts split.tsv
      proformer split --store windows.safetensors --out train.safetensors validation.safetensors \\
          --fractions 0.9 0.1 --by chromosome
      proformer split --store windows.safetensors --out train.safetensors validation.safetensors test.safetensors \\
          --chromosomes '' chr9 chr8
      proformer split --store starrseq.safetensors --out train.safetensors validation.safetensors test.safetensors \\
          --chromosomes '' chr2L,chr2LHet --nested 10 3
      proformer split --store starrseq.safetensors --out train.safetensors validation.safetensors test.safetensors \\
          --chromosomes '' 1 0 --stretches 100000 10
      proformer split --store mpra.safetensors --out train.safetensors validation.safetensors test.safetensors \\
          --folds 10 0

    Copies of a sequence and its reverse complement never fall to different parts; with --near, near copies neither.
    """
    from proformer.datasets.parts import split

    one_of(required=True, fractions=fractions, chromosomes=chromosomes, folds=folds, parts=parts)
    for name, given in (("fractions", fractions), ("chromosomes", chromosomes)):
        if given and len(out) != len(given) + bool(nested):
            raise InputError(f"--{name}: found {len(given)}, expected one for each of {len(out)} outputs")
    if folds and not (len(folds) in (2, 3) and len(out) == 3):
        raise InputError(f"--folds {list(folds)} and {len(out)} outputs: expected 2 or 3 numbers and 3 outputs")
    if nested and not (len(nested) == 2 and nested[1] < nested[0] and chromosomes and len(out) == 3):
        raise InputError(f"--nested {list(nested)}: expected two numbers, with --chromosomes and three outputs")
    if stretches and not (len(stretches) == 2 and min(stretches) > 0 and chromosomes):
        raise InputError(f"--stretches {list(stretches)}: expected two numbers above 0, with --chromosomes")
    table = split(
        store,
        out,
        fractions or (),
        seed,
        by,
        block,
        chromosomes=chromosomes and [[name for name in part.split(",") if name] for part in chromosomes],
        folds=(folds[0], folds[1], folds[2] if len(folds) == 3 else None) if folds else None,
        file=parts,
        near=near,
        nested=(nested[0], nested[1]) if nested else None,
        parted=parted,
        stretches=(stretches[0], stretches[1]) if stretches else None,
        outliers=outliers,
        closed=closed,
        trim=trim,
    )
    write_table(counts, table)
    print(table.to_string(index=False))


def measured(
    *,
    file: Annotated[Path, "CSV of measured promoters, or sequence<TAB>value"],
    name: Annotated[str, "name of the evaluation set"],
    out: Annotated[Output, "table: set, name, sequence, expression, role, …"],
    medium: Medium = None,
    rows: Annotated[Count | None, "refuse a file with another number of rows"] = None,
    flanks: Annotated[Flanks, "constant ends, found where they are not whole, too"] = DREAM_FLANKS,
    sequences: Annotated[Output | None, "sequence<TAB>value with whole flanks, for `proformer predict`"] = None,
    counts: Annotated[Output | None, "table of what was found"] = None,
) -> None:
    """Read a published table of measured promoters, to predict and to score on.

    examples:
      proformer measured --file Drift_testdata.csv --name drift --medium complex --out drift.tsv --sequences drift.txt
      proformer predict --model model --sequences drift.txt --out predictions.tsv
    """
    from proformer.datasets.measured import evaluation_table

    table, found = evaluation_table(name, file, medium, rows, flanks)
    write_table(out, table)
    if sequences:
        pairs = zip(table["sequence"], table["expression"], strict=True)
        write_text(sequences, "".join(f"{sequence}\t{value:.10g}\n" for sequence, value in pairs))
    write_table(counts, found)
    print(found.to_string(index=False))


def nearest(
    *,
    store: Annotated[Path, "the sequences trained on, made by `proformer prepare`"],
    sequences: Annotated[Path, "file of sequences"],
    name: Annotated[str, "what the table calls them"] = "sequences",
    against: Annotated[str, "what the table calls the store"] = "training",
    within: Annotated[Mismatches, "mismatches up to which distances are exact"] = 5,
    warn_distance: Annotated[Mismatches, "near means at most this far"] = 3,
    warn_share: Annotated[Share, "warn when more are near"] = 0.01,
    out: Annotated[Output | None, "table: how many are identical, within 1, 2, …"] = None,
    distances: Annotated[Output | None, "table: distance, nearest row and strand of each sequence"] = None,
) -> None:
    """Count the sequences that are nearly those of a training store.

    examples:
      proformer nearest --store all.safetensors --sequences evaluation.txt --within 5 --out nearest.tsv

    Exact up to --within mismatches, both strands; the store streams past an index of the sequences.
    """
    import sys

    from proformer.datasets.nearest import nearest, summary
    from proformer.datasets.store import open_store

    found = nearest(open_store(store), sequences, within)
    table = summary(name, against, found, within, warn_distance, warn_share)
    write_table(out, table)
    write_table(distances, found)
    print(table.drop(columns="warning").to_string(index=False))
    for warning in filter(None, table["warning"]):
        print(f"warning: {name} against {against}: {warning}", file=sys.stderr)
