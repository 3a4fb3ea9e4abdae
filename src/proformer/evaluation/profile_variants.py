"""Measured effects of single changes of regulatory elements, and what models say of them (Toneyan et al. 2022, Fig. 5).

A prediction of an allele is its mean coverage over tasks and over the bases that all shifts see. "Standard": from the
middle of the window around the variant; "robust": the mean over shifts, the same for both alleles. The effect is log2
of alternative by reference, of coverage or of the probabilities of models of labels; of models of values, which are
logarithms, it is the difference. r is that of predicted and measured effects within an element.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from proformer.atac.contigs import Genome, open_genome, translate
from proformer.errors import InputError
from proformer.evaluation.effects import is_logarithm, log_ratio
from proformer.evaluation.judgement import Judgement
from proformer.evaluation.metrics import METRICS
from proformer.evaluation.profile_windows import COLUMNS, VARIANTS, WHOLE, predicted
from proformer.evaluation.profiles import joined, with_model
from proformer.files import existing, read_table
from proformer.models.folder import TrainedModel
from proformer.sequences import ALPHABET, N, encode
from proformer.settings import did_you_mean

ROWS = 256  # sequences that are predicted at once
TABLE = ["chromosome", "position", "reference", "alternative", "measured"]
ALLELES = ["element", "variant", "position", "reference", "alternative"]
EFFECTS = ["model", "element", "position", "reference", "alternative", "measured", "standard", "robust"]


@dataclass(frozen=True)
class Variants:
    """Single-nucleotide variants and the sequence around them.

    table [n]: element, chromosome, position (from 1), reference, alternative, measured. codes: uint8 [n, window], of
    the reference, whose variant is at index (window - 1) // 2. start: of each window in its contig, int64 [n]. dropped:
    how many variants have another reference than the sequence.
    """

    table: pd.DataFrame
    codes: np.ndarray
    start: np.ndarray
    dropped: int

    @property
    def alternative(self) -> np.ndarray:
        """Codes of the alternative letters: uint8 [n]."""
        return encode("".join(self.table["alternative"]))

    @property
    def before(self) -> int:
        """Bases of a window before its variant."""
        return (self.codes.shape[1] - 1) // 2


def read_variants(
    measured: Mapping[str, Path], sequences: Path, loci: Path | None, window: int, contig_names: str | None = None
) -> Variants:
    """Read saturation mutagenesis as CAGI5 has it, and the windows around its variants.

    measured: element → TSV (after lines that begin with #: chromosome, position from 1, reference, alternative,
    effect). sequences: an indexed FASTA file; or, with `loci` (CSV: locus, chr, center), HDF5 of one-hot letters [loci,
    bp, 4] with the centre (from 1) at index (bp - 1) // 2 of each. Variants of another reference are left out, and
    counted.

    Raises InputError for a line that is no variant, and for windows that reach beyond what is known.
    """
    genome = _known_stretches(sequences, existing(loci)) if loci else open_genome(sequences)
    centres = _loci(loci) if loci else None
    tables, codes, starts, dropped = [], [], [], 0
    before = (window - 1) // 2
    for element, path in measured.items():
        table = _read_table(path)
        position = table["position"].to_numpy()
        if centres is not None:
            if element not in centres.index:
                raise InputError(f"{loci}: found no locus {element!r}{did_you_mean(element, list(centres.index))}")
            names = {name: element for name in table["chromosome"].unique() if name == str(centres["chr"][element])}
            place = position - int(centres["center"][element]) + (int(genome.lengths[0]) - 1) // 2
        else:
            names, place = translate(table["chromosome"].unique(), contig_names, genome.names, path), position - 1
        contig = genome.index(table["chromosome"].map(names))
        start = place - before
        outside = (contig < 0) | (start < 0) | (start + window > genome.lengths[contig])
        if outside.any():
            row = int(np.argmax(outside))
            room = 2 * int(min(place[row], genome.lengths[contig[row]] - 1 - place[row])) if contig[row] >= 0 else 0
            raise InputError(
                f"{path}, line {table['line'][row]}: found no {window} bp around {table['chromosome'][row]}:"
                f"{position[row]} in {sequences}, expected variant_window of at most {max(room, 0)} there"
            )
        around = genome.codes(contig, start, window)
        same = around[:, before] == encode("".join(table["reference"]))
        dropped += int((~same).sum())
        tables.append(table[same].assign(element=element))
        codes.append(around[same])
        starts.append(start[same])
    joined = pd.concat(tables, ignore_index=True)[["element", *TABLE]]
    if joined.empty:
        raise InputError(f"variants: found none of {dropped} whose reference is that of {sequences}")
    return Variants(joined, np.concatenate(codes), np.concatenate(starts), dropped)


def _read_table(path: Path) -> pd.DataFrame:
    with open(existing(path), "rb") as handle:
        head = next((number for number, line in enumerate(handle) if not line.startswith(b"#")), 0)
    keys: dict[str, Any] = {
        "header": None,
        "skiprows": head,
        "dtype": str,
        "names": TABLE,
        "usecols": range(len(TABLE)),
    }
    table = read_table(path, keep_default_na=False, skip_blank_lines=False, **keys)
    value = pd.to_numeric(table["measured"], errors="coerce")
    good = table["position"].str.fullmatch(r"[1-9]\d{0,9}") & np.isfinite(value)
    for allele in ("reference", "alternative"):
        good &= table[allele].isin([*ALPHABET[:N]])
    good &= table["reference"] != table["alternative"]
    table["line"] = head + 1 + np.arange(len(table))
    if not good.all():
        row = table.loc[~good].iloc[0]
        found, expected = " ".join(row[TABLE]), f"a change of one letter: {', '.join(TABLE)}"
        raise InputError(f"{path}, line {row['line']}: found {found!r}, expected {expected}")
    return table.assign(measured=value, position=table["position"].astype(np.int64))


def _loci(path: Path) -> pd.DataFrame:
    table = read_table(path, ["locus", "chr", "center"], sep=",", encoding="utf-8-sig")
    return table.set_index("locus")


def _known_stretches(path: Path, loci: Path) -> Genome:
    """One-hot windows as a genome, with a contig for each locus."""
    import h5py

    names = _loci(loci).index.tolist()
    try:
        with h5py.File(existing(path), "r") as file:
            letters = next(iter(file.values()))[:]
        if letters.ndim != 3 or letters.shape[2] != N or len(letters) != len(names):
            raise ValueError(f"an array {list(letters.shape)}")
    except (OSError, ValueError, TypeError, StopIteration) as error:
        found = " ".join(str(error).split())
        raise InputError(f"{path}: found {found}, expected HDF5 of one-hot letters [{len(names)}, bp, 4]") from None
    codes = np.where(letters.sum(axis=2) == 1, letters.argmax(axis=2), N)
    size = np.full(len(names), codes.shape[1])
    text = np.frombuffer(ALPHABET.encode(), np.uint8)[codes].ravel()
    return Genome(path, names, size, np.arange(len(names)) * size, size, size, text)


def predicted_effects(model: TrainedModel, variants: Variants, plan: Judgement) -> np.ndarray:
    """Effects by the standard and by the robust way: float64 [n, 2]; robust is NaN where there is no room for shifts.

    Raises InputError for a model that reads more than the window, or so little that shifts have no bases in common.
    """
    window, length = variants.codes.shape[1], model.description["layout"]["length"]
    room = window - length
    if not 0 <= room < length:
        expected = f"{length} to {2 * length - 1}"
        raise InputError(f"variant_window: found {window} bp for a model that reads {length}, expected {expected}")
    drawn = np.random.default_rng(plan.seed).permutation(room + 1)[: plan.shifts if room else 0]
    at = np.array([room // 2, *drawn], np.int64)
    found = np.full((len(variants.table), 2), np.nan)
    for rows in variants.table.groupby("element", sort=False).indices.values():
        codes, changed = variants.codes[rows], variants.alternative[rows]
        # Windows of the reference that coincide are predicted once.
        _, first, which = np.unique(variants.start[rows, None] + at, return_index=True, return_inverse=True)
        seen = [codes[i // len(at), at[i % len(at)] : at[i % len(at)] + length] for i in first.tolist()]
        reference = _task_means(model, np.stack(seen))[which.reshape(len(rows), len(at))]
        values = np.empty((2, len(rows), len(at)))
        for number, offset in enumerate(at.tolist()):
            copies = codes[:, offset : offset + length].copy()
            copies[:, variants.before - offset] = changed
            # The share of each bin that all shifts see.
            size = length // reference.shape[2]
            edges = np.arange(0, length, size)
            common = np.minimum(edges + size, length - offset) - np.maximum(edges, room - offset)
            weights = np.maximum(common, 0) / (length - room)
            values[:, :, number] = _task_means(model, copies) @ weights, reference[:, number] @ weights
        for way, chosen in enumerate((values[:, :, :1], values[:, :, 1:])):
            if chosen.shape[2]:
                alternative, own = chosen.mean(axis=2)
                found[rows, way] = alternative - own if is_logarithm(model.task) else log_ratio(alternative, own)
    return found


def _task_means(model: TrainedModel, codes: np.ndarray) -> np.ndarray:
    """Coverage, or probabilities, averaged over tasks: float64 [n, P]."""
    means = []
    for first in range(0, len(codes), ROWS):
        output = predicted(model, codes[first : first + ROWS])
        means.append((expit(output) if model.task.kind == "binary" else output).mean(axis=1))
    return np.concatenate(means)


def judge_variants(
    models: Mapping[str, TrainedModel], variants: Variants, plan: Judgement
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Scores of models, by their folders, and the effects that each predicts (`predicted_effects`)."""
    effects = {folder: predicted_effects(model, variants, plan) for folder, model in models.items()}
    tables = []
    for folder, model in models.items():
        bp = 2 * model.description["layout"]["length"] - plan.variant_window
        tables.append(with_model(score_variants(effects[folder], variants, bp), model, folder))
    return joined(tables), effects


def score_variants(effects: np.ndarray, variants: Variants, bp: int) -> pd.DataFrame:
    """r of effects [n, 2] with the measured ones, of each element: `COLUMNS`. bp: that all shifts see."""
    found = []
    for element, rows in variants.table.groupby("element", sort=False).indices.items():
        truth = variants.table["measured"].to_numpy()[rows]
        for metric, values in zip(("pearson", "robust_pearson"), effects[rows].T, strict=True):
            known = np.isfinite(values)  # coverage that is not above 0 has no logarithm
            r = METRICS["pearson"].rows(values[known], truth[known]) if known.sum() > 1 else np.nan
            found.append((element, VARIANTS, bp, WHOLE, "mean of all", metric, float(r), int(known.sum())))
    return pd.DataFrame(found, columns=COLUMNS)


def example(
    models: Mapping[str, TrainedModel], effects: Mapping[str, np.ndarray], scores: pd.DataFrame, variants: Variants
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the model of coverage with the highest mean r says: `EFFECTS` of all variants, and `ALLELES`.

    These are predictions of both alleles of one variant along the sequence, mean over tasks: of the variant with the
    largest predicted effect in the element with the highest r.
    """
    own = scores[(scores["how"] == VARIANTS) & scores["value"].notna()]
    for column, wanted in (("metric", "robust_pearson"), ("kind", "profile")):
        own = own[own[column] == wanted] if (own[column] == wanted).any() else own
    if own.empty:
        return pd.DataFrame(columns=EFFECTS), pd.DataFrame(columns=ALLELES)
    best = str(own.groupby("folder")["value"].mean().idxmax())
    element = own[own["folder"] == best].set_index("subset")["value"].idxmax()
    ways = dict(zip(("standard", "robust"), effects[best].T, strict=True))
    table = variants.table.assign(model=own.loc[own["folder"] == best, "model"].iloc[0], **ways)[EFFECTS]
    effect = table["robust" if table["robust"].notna().any() else "standard"].abs()
    row = int(effect[table["element"] == element].idxmax())
    length = models[best].description["layout"]["length"]
    offset = (variants.codes.shape[1] - length) // 2
    codes = np.stack([variants.codes[row, offset : offset + length]] * 2)
    codes[1, variants.before - offset] = variants.alternative[row]
    values = _task_means(models[best], codes)
    first = variants.table["position"][row] - variants.before + offset
    position = first + np.arange(values.shape[1]) * (length // values.shape[1])
    name = "{reference}{position}{alternative}".format(**variants.table.loc[row])
    found = {"element": element, "variant": name, "position": position}
    return table, pd.DataFrame(found | {"reference": values[0], "alternative": values[1]})[ALLELES]
