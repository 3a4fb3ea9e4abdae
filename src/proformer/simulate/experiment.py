"""Writing a simulated ATAC-seq experiment: a genome, paired reads, and everything that is known of them.

`genome.fa`; `A_1.fastq.gz`, `A_2.fastq.gz`, `B_1.fastq.gz`, … one pair of files per library; `regions.bed` (score:
1000 x accessibility), `sites.bed` (score: 1000 at no mismatch, 500 at one, 0 at two), `tss.bed` (promoters),
`blacklist.bed` (artefacts), `repeats.bed`; `fragments.tsv.gz` (the origin of each pair: library, name, contig, start,
end, strand of read 1, origin, region, molecule; positions from 0, half-open) and `simulator.json` (all parameters),
written last.
"""

import json
from dataclasses import asdict
from pathlib import Path
from string import ascii_uppercase

import numpy as np
import pandas as pd

from proformer import __version__
from proformer.errors import InputError
from proformer.files import write_text, writing
from proformer.sequences import ALPHABET, N
from proformer.simulate.atac import EXPERIMENT, ORIGINS, REGION, SimulatedGenome, simulate_fragments, simulate_genome
from proformer.simulate.promoters import stream
from proformer.simulate.reads import names, read_pairs, write_fastq

LINE = 60  # bases per line of FASTA


def write_atac(folder: str | Path, size: int, pairs: int, libraries: int, seed: int) -> None:
    """Write one experiment; the same arguments give the same bytes, and library A does not depend on `libraries`.

    `size`: bp of nuclear genome; `pairs`: read pairs per library. Raises InputError when a number is out of range.
    """
    if not 1 <= libraries <= len(ascii_uppercase) or pairs < 1:
        limit = f"1 to {len(ascii_uppercase)} libraries of at least 1 pair"
        raise InputError(f"found {libraries} libraries of {pairs} read pairs, expected {limit}")
    folder = Path(folder)
    genome = simulate_genome(size, seed)
    write_text(folder / "genome.fa", fasta(genome))
    for name, table in beds(genome).items():
        write_text(folder / f"{name}.bed", table.to_csv(sep="\t", header=False, index=False, lineterminator="\n"))
    truth = []
    for number, library in enumerate(ascii_uppercase[:libraries]):
        fragments = simulate_fragments(genome, pairs, seed, number)
        columns = (fragments[name].to_numpy() for name in ("start", "length", "reverse"))
        for mate, reads in enumerate(read_pairs(stream(seed, 202, number), genome.codes, *columns), 1):
            write_fastq(folder / f"{library}_{mate}.fastq.gz", library, mate, reads)
        truth.append(_known(genome, fragments, library))
    with writing(folder / "fragments.tsv.gz", gz=True) as out:
        out.write(pd.concat(truth).to_csv(sep="\t", index=False, lineterminator="\n").encode())
    settings = {"version": __version__, "seed": seed, "size": size, "pairs": pairs, "libraries": libraries}
    write_text(folder / "simulator.json", json.dumps(settings | {"experiment": asdict(EXPERIMENT)}, indent=2) + "\n")


def fasta(genome: SimulatedGenome) -> str:
    """The reference: all contigs but the foreign DNA, gaps as N."""
    letters = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)[np.where(genome.unknown, N, genome.codes)]
    parts = []
    for contig in genome.contigs[:-1].itertuples():
        text = letters[contig.offset : contig.offset + contig.length].tobytes().decode()
        parts += [f">{contig.contig}", *(text[i : i + LINE] for i in range(0, len(text), LINE))]
    return "\n".join(parts) + "\n"


def beds(genome: SimulatedGenome) -> dict[str, pd.DataFrame]:
    """The BED files by name: contig, start, end, name, score, strand."""
    regions, sites = genome.regions, genome.sites
    named = regions["region"].map("region_{:04d}".format)
    promoters = regions[regions["strand"] != "."]
    score = (1000 * regions["accessibility"]).round().astype(int)
    width, match = sites["end"] - sites["start"], 1000 - 500 * sites["mismatches"]
    # start, length, name, score, strand; positions of the whole genome
    extent = {
        "regions": (regions["centre"] - REGION // 2, REGION, named, score, "."),
        "sites": (sites["start"], width, sites["motif"], match, sites["strand"]),
        "tss": (promoters["centre"], 1, named[promoters.index], 0, promoters["strand"]),
        "blacklist": (genome.artefacts, EXPERIMENT.artefact, "artefact", 0, "."),
        "repeats": (genome.repeats, EXPERIMENT.repeat, "repeat", 0, "."),
    }
    tables = {}
    for name, (start, length, label, score_, strand) in extent.items():
        contig, first = _place(genome, np.asarray(start))
        columns = {"contig": contig, "start": first, "end": first + np.asarray(length), "name": label}
        tables[name] = pd.DataFrame(columns | {"score": score_, "strand": strand}).reset_index(drop=True)
    return tables


def _place(genome: SimulatedGenome, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Contig and position in it of each position of the whole genome."""
    index = np.searchsorted(genome.contigs["offset"], position, side="right") - 1
    return genome.contigs["contig"].to_numpy()[index], position - genome.contigs["offset"].to_numpy()[index]


def _known(genome: SimulatedGenome, fragments: pd.DataFrame, library: str) -> pd.DataFrame:
    contig, start = _place(genome, fragments["start"].to_numpy())
    columns = {"library": library, "name": names(library, len(fragments)), "contig": contig, "start": start}
    columns |= {"end": start + fragments["length"], "strand": np.where(fragments["reverse"], "-", "+")}
    columns |= {"origin": np.array(ORIGINS)[fragments["origin"]]}
    return pd.DataFrame(columns).join(fragments[["region", "molecule"]])
