"""What a change of the sequence does to predictions: of a VCF on a genome, or of a table of sequences.

A window of the model's length is read around a variant, whose first base is in the middle (of 2,048 bp at index 1023).
Insertions and deletions keep what is before them, and move what is behind them: the window of the alternative ends as
many bases earlier or later in the genome. The effect is the prediction of the alternative less that of the reference,
or log2 of the ratio of coverage, of reads or of probabilities; of several models, such as the seeds of a run, it is the
mean, and sd is their spread.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from proformer.atac.contigs import Genome, make_genome, open_genome
from proformer.datasets.text import open_text
from proformer.errors import InputError
from proformer.evaluation.effects import amounts, is_logarithm, log_ratio
from proformer.explain.attribution import Attributor
from proformer.files import existing, scratch, writing
from proformer.sequences import ALPHABET, INVALID, N, encode
from proformer.units import whole_number

BLOCK = 4096  # variants at once
VCF = ["chromosome", "position", "name", "reference", "alternative"]
TABLE = ["sequence", "position", "alternative"]
Effect = Literal["difference", "log2"]
ACGT = frozenset("ACGT")


@dataclass
class Pairs:
    """Some variants: `labels`, a row each; codes uint8 [n, L] of both alleles."""

    labels: pd.DataFrame
    reference: np.ndarray
    alternative: np.ndarray


@dataclass
class Checks:
    """What becomes of variants that cannot be predicted: they are counted by the reason, and unless `drop` an error."""

    path: Path
    drop: bool = False
    dropped: Counter[str] = field(default_factory=Counter)
    first: str = ""

    def refuse(self, line: int, reason: str, text: str) -> None:
        """Count a reason, and keep what was found and expected in the first such line."""
        self.first = self.first or f"{self.path}, line {line}: {text}"
        self.dropped[reason] += 1

    @property
    def failed(self) -> bool:
        """Whether there is an error, so that lines are only counted from here on."""
        return bool(self.first) and not self.drop

    def finish(self) -> None:
        """Raise InputError that names the first line which was refused, and counts all."""
        if self.failed:
            raise InputError(self.first + (f"; in all {self}" if self.dropped.total() > 1 else ""))

    def __str__(self) -> str:
        return ", ".join(f"{number:,} {reason}" for reason, number in self.dropped.items())


@contextmanager
def genome_of(fasta: Path, beside: Path) -> Iterator[Genome]:
    """Open a FASTA file, plain or gz. An index beside it is used; else one is made in a temporary folder."""
    with ExitStack() as stack:
        if Path(f"{fasta}.fai").is_file() and fasta.suffix != ".gz":
            yield open_genome(fasta)
        else:
            out = stack.enter_context(scratch(beside)) / "genome.fa"
            make_genome(fasta, out)
            yield open_genome(out)


def read_vcf(path: Path, genome: Genome, length: int, checks: Checks) -> Iterator[Pairs]:
    """Yield the variants of a VCF (plain or gz) in blocks, with windows of `length` nt; a row per alternative allele.

    Raises InputError, after the last of the variants and unless they are dropped, for a line that is none, a contig or
    position that the genome lacks, a reference allele that is not the genome's, and alleles that are not letters.
    """
    before = (length - 1) // 2
    for line, row in _rows(path, VCF, "the columns of a VCF: CHROM, POS, ID, REF, ALT"):
        labels, windows = [], []
        for number, (contig, position, name, reference, alternatives) in enumerate(row, start=line):
            reference = reference.upper()
            place = whole_number(position)
            if place is None or not reference or not set(reference) <= ACGT | {"N"}:
                wrong = f"position {position!r}" if place is None else f"reference {reference!r}"
                checks.refuse(number, "no variant", f"found the {wrong}, expected a whole number, and A, C, G, T and N")
                continue
            start = place - 1
            (index,) = genome.index([contig])
            if index < 0:
                known = ", ".join(genome.names[:5]) + ", …" * (len(genome.names) > 5)
                checks.refuse(
                    number, "contig unknown", f"found the contig {contig!r}, expected one of the genome's: {known}"
                )
                continue
            size = int(genome.lengths[index])
            if start < 0 or start + len(reference) > size:
                last = f"-{start + len(reference)}" if len(reference) > 1 else ""
                text = f"found {contig}:{position}{last}, expected a position of 1 to {size}"
                checks.refuse(number, "position outside", text)
                continue
            there = "".join(ALPHABET[code] for code in _stretch(genome, index, start, start + len(reference)))
            if there != reference:
                found = f"found the reference {reference} at {contig}:{position}"
                checks.refuse(number, "another reference", f"{found}, expected {there}, as the genome has it")
                continue
            for alternative in alternatives.upper().split(","):
                if not alternative or not set(alternative) <= ACGT:
                    found = f"found the alternative {alternative!r}"
                    checks.refuse(number, "no letters", f"{found}, expected A, C, G and T (no symbolic alleles)")
                    continue
                labels.append((contig, start + 1, name, reference, alternative))
                whole = _stretch(genome, index, start - before, start - before + length)
                rest = length - before - len(alternative)
                behind = start + len(reference)
                parts = whole[:before], encode(alternative)[: length - before]
                windows.append(
                    (whole, np.concatenate([*parts, _stretch(genome, index, behind, behind + max(0, rest))]))
                )
        if windows and not checks.failed:
            yield Pairs(pd.DataFrame(labels, columns=VCF), *map(np.stack, zip(*windows, strict=True)))
    checks.finish()


def read_changes(path: Path, encoded: Callable[[list[str]], np.ndarray], checks: Checks) -> Iterator[Pairs]:
    """Yield the variants of a table (TSV) in blocks: columns sequence, position (from 1) and alternative.

    reference, where there is such a column, is compared with the sequence; without it one base is replaced. name is
    kept. encoded: sequences as text to codes uint8 [n, L].
    """
    for line, rows in _rows(path, TABLE, f"a header line with {', '.join(TABLE)}", ("name", "reference"), header=True):
        labels, texts, lines = [], [], []
        for number, (sequence, position, alternative, name, reference) in enumerate(rows, start=line):
            sequence, alternative = sequence.upper(), alternative.upper()
            start = (whole_number(position) or 0) - 1
            reference = reference.upper() or sequence[start : start + 1]
            stop = start + len(reference)
            if not 0 <= start < stop <= len(sequence):
                found = f"found the position {position!r}"
                checks.refuse(number, "position outside", f"{found}, expected one of 1 to {len(sequence)}")
            elif sequence[start:stop] != reference:
                found = f"found the reference {reference} at {position}"
                checks.refuse(
                    number, "another reference", f"{found}, expected {sequence[start:stop]}, as the sequence has it"
                )
            elif not alternative or not set(alternative) <= ACGT:
                found = f"found the alternative {alternative!r}"
                checks.refuse(number, "no letters", f"{found}, expected A, C, G and T")
            else:
                labels.append((name, position, reference, alternative))
                texts.append((sequence, sequence[:start] + alternative + sequence[stop:]))
                lines.append(number)
        kept, codes = _encoded(texts, encoded, lines, checks)
        if kept and not checks.failed:
            table = pd.DataFrame(labels, columns=["name", "position", "reference", "alternative"]).iloc[kept]
            yield Pairs(table, *codes)
    checks.finish()


def _encoded(
    texts: list[tuple[str, str]], encoded: Callable[[list[str]], np.ndarray], lines: list[int], checks: Checks
) -> tuple[list[int], list[np.ndarray]]:
    """Which pairs of sequences a model reads, and their codes, uint8 [n, L] of both; others are refused."""
    try:
        return [*range(len(texts))], [encoded(list(column)) for column in zip(*texts, strict=True)]
    except InputError:
        kept, codes = [], []
        for row, pair in enumerate(texts):
            try:
                codes.append(encoded(list(pair)))
                kept.append(row)
            except InputError as error:
                checks.refuse(lines[row], "not read by the model", str(error).partition(": ")[2])
        return kept, [np.stack(column) for column in zip(*codes, strict=True)]


def effects(models: Sequence[Attributor], pairs: Pairs, how: Effect = "difference") -> pd.DataFrame:
    """The effect of every variant on every task.

    Columns: the labels, task, models (how many), predicted_reference, predicted_alternative, effect, all three means
    over models, and sd, the standard deviation of the effect over models. Predictions are what `Attributor.predict`
    gives, for log2 the amounts that have a ratio.
    """
    before, after = (
        np.stack([model.predict(codes) for model in models]) for codes in (pairs.reference, pairs.alternative)
    )
    if how == "log2":
        before, after = (amounts(models[0].predictor.task, values) for values in (before, after))
    effect = after - before if how == "difference" else log_ratio(after, before)
    spread = effect.std(axis=0, ddof=1) if len(models) > 1 else np.full(effect.shape[1:], np.nan)
    tables = []
    for column, task in enumerate(models[0].tasks):
        numbers = {"predicted_reference": before.mean(axis=0), "predicted_alternative": after.mean(axis=0)}
        numbers |= {"effect": effect.mean(axis=0), "sd": spread}
        chosen = {name: values[:, column] for name, values in numbers.items()}
        tables.append(pairs.labels.assign(task=task, models=len(models), **chosen))
    return pd.concat(tables).sort_index(kind="stable")


def write_effects(
    models: Sequence[Attributor], blocks: Iterator[Pairs], out: Path, checks: Checks, how: Effect = "difference"
) -> int:
    """Write the table of effects block by block; returns how many variants there were. Raises InputError for none."""
    count = 0
    with writing(out) as handle:
        for pairs in blocks:
            table = effects(models, pairs, how)
            handle.write(table.to_csv(sep="\t", index=False, float_format="%.6g", header=not count).encode())
            count += len(pairs.labels)
        if not count:
            left_out = f" (left out: {checks})" if checks.dropped else ""
            raise InputError(f"{checks.path}: found no variant that can be predicted{left_out}, expected some")
    return count


def check_models(models: Sequence[Attributor], folders: Sequence[Path], how: Effect) -> None:
    """Raise InputError unless all models read sequences in one way and predict the same tasks, which have such effects.

    Of predictions that are logarithms, as measured values of expression are, a ratio would mean nothing.
    """
    if how == "log2" and is_logarithm(models[0].predictor.task):
        found = f"log2 for {folders[0]}, which predicts {models[0].predictor.task.kind}: logarithms already"
        raise InputError(f"--effect: found {found}; expected difference")
    for model, folder in zip(models[1:], folders[1:], strict=True):
        for what, of in (
            ("tasks", lambda each: each.tasks),
            ("kind", lambda each: each.predictor.task.kind),
            ("layout", lambda each: each.predictor.layout),
        ):
            if of(model) != of(models[0]):
                raise InputError(
                    f"{folder}: found the {what} {of(model)}, expected those of {folders[0]}: {of(models[0])}"
                )


def _stretch(genome: Genome, contig: int, start: int, stop: int) -> np.ndarray:
    """Codes of a stretch of a contig, N beyond its ends: uint8 [stop - start]."""
    codes = np.full(max(0, stop - start), N, np.uint8)
    first, last = max(start, 0), min(stop, int(genome.lengths[contig]))
    if first < last:
        place = np.array([contig]), np.array([first])
        codes[first - start : last - start] = genome.codes(*place, last - first)[0]
    codes[codes == INVALID] = N
    return codes


def _rows(
    path: Path, columns: Sequence[str], expected: str, more: Sequence[str] = (), header: bool = False
) -> Iterator[tuple[int, list[Any]]]:
    """Yield (line of the first row, rows of text) in blocks; `more` are columns that may be missing, empty then."""
    line, start = 1, 0
    with open_text(existing(path)) as handle:
        if not header:
            while handle.peek(1)[:1] == b"#":  # type: ignore[attr-defined]
                handle.readline()
                line += 1
        keys: dict[str, Any] = {
            "sep": "\t",
            "dtype": str,
            "keep_default_na": False,
            "quoting": 3,
            "skip_blank_lines": False,
        }
        keys |= {} if header else {"header": None, "usecols": range(len(columns)), "names": columns}
        try:
            for table in pd.read_csv(handle, chunksize=BLOCK, **keys):
                if missing := [name for name in columns if name not in table]:
                    raise InputError(f"{path}, line 1: found no column {', '.join(missing)}, expected {expected}")
                table = table.reindex(columns=[*columns, *more], fill_value="")
                yield line + header + start, list(table.fillna("").itertuples(index=False, name=None))
                start += len(table)
        except (pd.errors.EmptyDataError, pd.errors.ParserError, ValueError) as error:
            raise InputError(f"{path}: found no table ({' '.join(str(error).split())}), expected {expected}") from None
