"""Windows: stretches of the genome near summits, with the signal at their centre as the number to predict."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from proformer.atac.contigs import Genome
from proformer.atac.fragments import read_bed
from proformer.atac.signal import Signal
from proformer.atac.tools import bedtools_session
from proformer.datasets.prepare import Layout
from proformer.datasets.store import StoreWriter
from proformer.errors import InputError
from proformer.files import file_digest
from proformer.sequences import N, Spans, strand_free_keys
from proformer.tasks import Task

TRANSFORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"none": lambda signal: signal, "log1p": np.log1p}


@dataclass(frozen=True)
class Windows:
    """How windows are drawn (Proformer, Methods: 100,000 of 100 nt from the 1,000 bp around summits, centre 20 bp).

    `number` drawn, `length` of each, `reach` in which they lie (bp, the summit in its middle), `centre` whose mean
    signal is the target, `max_n` unknown bases allowed, `transform` of the target.
    """

    number: int = 100_000
    length: int = 100
    reach: int = 1000
    centre: int = 20
    seed: int = 1
    transform: Literal["none", "log1p"] = "log1p"
    max_n: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.centre <= self.length <= self.reach:
            given = f"centre {self.centre}, length {self.length}, reach {self.reach}"
            raise InputError(f"windows: found {given}; expected centre ≤ length ≤ reach")
        if (self.length - self.centre) % 2:
            raise InputError(f"windows: length {self.length} and centre {self.centre} have no common middle")


def draw(summits: pd.DataFrame, plan: Windows) -> pd.DataFrame:
    """Draw windows uniformly from the reach of the summits: contig, start, distance (window's middle to summit).

    Every summit is used equally often, and the remainder falls to summits drawn without replacement.
    """
    random = np.random.default_rng(plan.seed)
    rounds, rest = divmod(plan.number, len(summits))
    chosen = np.concatenate([np.tile(np.arange(len(summits)), rounds), random.permutation(len(summits))[:rest]])
    offset = random.integers(-(plan.reach // 2), plan.reach // 2 - plan.length + 1, size=len(chosen))
    contig, summit = (summits[column].to_numpy(np.int64)[chosen] for column in ("contig", "summit"))
    return pd.DataFrame({"contig": contig, "start": summit + offset, "distance": offset + plan.length // 2})


def make_windows(
    summits: pd.DataFrame,
    genome: Genome,
    signal: Signal,
    out: Path,
    plan: Windows,
    *,
    blacklist: Path | None = None,
    contig_names: str | None = None,
) -> pd.DataFrame:
    """Write the store of windows and return the counts of what was left out: what, count.

    Columns of the store: codes uint8 [n, length] (forward strand), target float32 [n, 1, 1], group int64 [n], and where
    each window lies: contig (position in meta["contigs"]), start, distance, all int64 [n].
    """
    drawn = draw(summits, plan)
    counts = {"drawn": len(drawn)}
    inside = (drawn["start"] >= 0) & (drawn["start"] + plan.length <= genome.lengths[drawn["contig"]])
    counts["over a contig's end"] = int((~inside).sum())
    drawn = drawn[inside]
    if blacklist is not None:
        listed = on_blacklist(drawn, plan.length, genome, read_bed(blacklist, genome, contig_names), out)
        counts["on the blacklist"] = int(listed.sum())
        drawn = drawn[~listed]
    contig, start = drawn["contig"].to_numpy(), drawn["start"].to_numpy()
    codes = genome.codes(contig, start, plan.length)
    known = (codes == N).sum(axis=1) <= plan.max_n
    counts["unknown bases"] = int((~known).sum())
    codes, contig, start = codes[known], contig[known], start[known]
    counts["kept"] = len(codes)
    if not len(codes):
        raise InputError(f"windows: not one of {plan.number} is usable ({counts})")
    margin = (plan.length - plan.centre) // 2
    centre = signal.read(contig, start + margin, plan.centre).mean(axis=1, dtype=np.float64)
    meta = {
        "task": asdict(Task(names=("accessibility",))),
        "layout": asdict(Layout(plan.length)),
        "contigs": genome.names,
        "windows": asdict(plan),
        "source": {
            "genome": genome.path.name,
            "signal": signal.path.name,
            "sha256": file_digest(signal.path, "sha256"),
        },
    }
    rows = np.arange(len(codes), dtype=np.int64)
    spans = Spans(rows * plan.length, np.full_like(rows, plan.length))
    with StoreWriter(out, meta) as writer:
        writer.append(
            codes=codes,
            target=TRANSFORMS[plan.transform](centre).astype(np.float32)[:, None, None],
            group=strand_free_keys(codes.ravel(), spans),
            contig=contig,
            start=start,
            distance=drawn["distance"].to_numpy()[known],
        )
    return pd.DataFrame({"what": list(counts), "count": list(counts.values())})


def on_blacklist(
    windows: pd.DataFrame, length: int, genome: Genome, blacklist: pd.DataFrame, beside: Path
) -> np.ndarray:
    """Whether each window overlaps the blacklist by a base or more: bool [n]."""
    import pybedtools

    names = np.array(genome.names, dtype=object)[windows["contig"]]
    bed = pd.DataFrame({"contig": names, "start": windows["start"], "end": windows["start"] + length})
    bed["row"] = np.arange(len(bed))
    listed = np.zeros(len(bed), dtype=bool)
    if len(bed) and len(blacklist):
        with bedtools_session(beside):
            listed_bed = pybedtools.BedTool.from_dataframe(blacklist)
            found = pybedtools.BedTool.from_dataframe(bed).intersect(listed_bed, u=True).to_dataframe()
            if len(found):
                listed[found.iloc[:, 3].to_numpy()] = True
    return listed
