"""The samples table: one row per library, from reads, from alignments, from fragments, or from finished peaks."""

import re
from pathlib import Path

import pandas as pd

from proformer.errors import InputError
from proformer.files import existing

KINDS = {"reads": ("read1", "read2"), "bam": ("bam",), "fragments": ("fragments",), "peaks": ("peaks", "bigwig")}
COLUMNS = ("sample", *(column for columns in KINDS.values() for column in columns), "shifted")
EXPECTED = "read1 and read2, or bam, or fragments, or peaks and bigwig"
SPECIES = {"human": ("hg", "grch", "t2t-chm13"), "mouse": ("mm", "grcm"), "yeast": ("saccer", "r64")}


def read_samples(path: str | Path) -> pd.DataFrame:
    """Read and check a samples table (TSV): all of `COLUMNS`, empty text where not given, and `kind`, a key of `KINDS`.

    `shifted` (yes or no) says whether fragments are already moved to the cut sites (+4/-5), as 10x files are.
    Raises InputError, with file and line: an unknown column, a sample listed twice, a mate missing, kinds mixed.
    """
    path = existing(path, "samples table")
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, comment="#", skip_blank_lines=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a table with tabs: {' '.join(str(error).split())}") from None
    if not {"sample"} <= {*table} <= {*COLUMNS}:
        found = ", ".join(map(str, table))
        raise InputError(f"{path}, line 1: found the columns {found}; expected some of {', '.join(COLUMNS)}")
    if table.empty:
        raise InputError(f"{path}: found no sample, expected at least one")
    table = table.reindex(columns=list(COLUMNS), fill_value="")
    first: dict[str, int] = {}
    kinds = []
    for line, row in enumerate(table.to_dict("records"), start=2):
        where, name = f"{path}, line {line}", row["sample"]
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", name):
            raise InputError(f"{where}: found the sample name {name!r}, expected letters, digits, '.' and '-'")
        if (before := first.setdefault(name, line)) != line:
            raise InputError(f"{where}: sample {name!r} is listed twice; it stands in line {before} already")
        kinds.append(_kind(row, f"{where}: sample {name!r}"))
    if "peaks" in kinds and len(kinds) > 1:
        raise InputError(f"{path}: found peaks and bigwig among {len(kinds)} samples, expected them alone in one row")
    return table.assign(kind=kinds)


def _kind(row: dict[str, str], where: str) -> str:
    given = [kind for kind, columns in KINDS.items() if any(row[column] for column in columns)]
    if len(given) != 1:
        raise InputError(f"{where} starts from {' and '.join(given) or 'nothing'}; expected {EXPECTED}")
    columns = KINDS[given[0]]
    if missing := [column for column in columns if not row[column]]:
        raise InputError(f"{where} has no {missing[0]}; expected {EXPECTED}")
    if len({row[column] for column in columns}) < len(columns):
        raise InputError(f"{where} names {row[columns[0]]} for both {' and '.join(columns)}")
    if row["shifted"] not in ("", "yes", "no"):
        raise InputError(f"{where}: found shifted = {row['shifted']!r}, expected yes, no or nothing")
    return given[0]


def check_species(species: str | None, genome: str, allow_other: bool = False) -> None:
    """Refuse the genome of another species than the reads'; names that say nothing pass.

    The Proformer paper names mm10 (mouse) for GSE47753, whose reads are human: aligned there, they mean nothing.
    """
    named = next((kind for kind, starts in SPECIES.items() if genome.lower().startswith(starts)), None)
    if species and named and named != species and not allow_other:
        raise InputError(
            f"atac: found the genome {genome} ({named}) for {species} reads; expected one of {species}, such as "
            f"{'hg38' if species == 'human' else 'its own'} (the paper's mm10 for GSE47753 is a slip); "
            "allow_other_species: true goes on all the same"
        )
