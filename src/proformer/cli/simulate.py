"""Verbs that write simulated data."""

from typing import Annotated

from proformer.files import OutputFolder
from proformer.settings import Benchmark, Cells, Count, Libraries, Seed, SimulatedGenome, SimulatedSet, SimulatedTests


def simulate(
    *,
    out: Annotated[OutputFolder, "folder to write, made when missing"],
    train: Annotated[Count, "training rows"] = 4000,
    test: Annotated[SimulatedTests, "test rows"] = 1000,
    seed: Annotated[Seed, "random seed"] = 1,
    gzip: Annotated[bool, "pack the sequence files and the ground truth (.gz)"] = False,
) -> None:
    """Write simulated promoters in the file formats of the DREAM challenge.

    examples:
      proformer simulate --out simulated                              4,000 training and 1,000 test rows
      proformer simulate --out large --train 6739258 --test 71103 --gzip    as many rows as the challenge has

    The model and its equations are documented in proformer/simulate/model.py; the same seed gives the same files.
    """
    from proformer.simulate.dream import write_dream

    write_dream(out, train, test, seed, gzip)
    print(f"simulate: wrote {train:,} training and {test:,} test promoters to {out}")


def simulate_atac(
    *,
    out: Annotated[OutputFolder, "folder to write, made when missing"],
    genome_size: Annotated[SimulatedGenome, "bp without chrM"] = 600_000,
    pairs: Annotated[Count, "read pairs per library"] = 24_000,
    libraries: Annotated[Libraries, "replicates"] = 2,
    seed: Annotated[Seed, "random seed"] = 1,
) -> None:
    """Write a simulated genome and the paired reads of an ATAC-seq experiment on it.

    examples:
      proformer simulate-atac --out simulated_atac                         the embedded demo: 600 kb, two libraries
      proformer simulate-atac --out deep --pairs 1000000 --libraries 3     more reads of the same genome

    The model is documented in proformer/simulate/atac.py, the files in proformer/simulate/experiment.py; the same seed
    gives the same files.
    """
    from proformer.simulate.experiment import write_atac

    write_atac(out, genome_size, pairs, libraries, seed)
    print(f"simulate-atac: wrote {libraries} libraries of {pairs:,} read pairs to {out}")


def simulate_vaishnav(
    *,
    out: Annotated[OutputFolder, "folder to write, made when missing"],
    native: Annotated[SimulatedSet, "rows"] = 400,
    random: Annotated[SimulatedSet, "rows"] = 400,
    drift: Annotated[SimulatedSet, "rows"] = 150,
    seed: Annotated[Seed, "random seed"] = 1,
) -> None:
    """Write simulated evaluation sets in the file formats that Vaishnav et al. published.

    examples:
      proformer simulate-vaishnav --out simulated_vaishnav --native 400 --random 400 --drift 150
    """
    from proformer.simulate.vaishnav import write_vaishnav

    write_vaishnav(out, native, random, drift, seed)
    print(f"simulate-vaishnav: wrote {native} + {random} + {drift} measured promoters to {out}")


def simulate_coverage(
    *,
    out: Annotated[OutputFolder, "folder to write, made when missing"],
    genome_size: Annotated[SimulatedGenome, "bp without chrM"] = 600_000,
    cells: Annotated[Cells, "cell types"] = 3,
    seed: Annotated[Seed, "random seed"] = 1,
) -> None:
    """Write a simulated genome, and tracks and peaks of several cell types on it.

    examples:
      proformer simulate-coverage --out simulated_coverage --cells 3

    The model and the files are documented in proformer/simulate/coverage.py; the same seed gives the same files.
    """
    from proformer.simulate.coverage import simulate_tracks, write_tracks

    write_tracks(simulate_tracks(genome_size, cells, seed), out, seed)
    print(f"simulate-coverage: wrote the tracks of {cells} cell types to {out}")


def simulate_benchmarks(
    *,
    out: Annotated[OutputFolder, "folder to write, made when missing"],
    enhancers: Annotated[Benchmark, "windows of Drosophila enhancers"] = 400,
    elements: Annotated[Benchmark, "elements of HepG2; K562 has 1.6 times, WTC11 0.4 times as many"] = 200,
    seed: Annotated[Seed, "random seed"] = 1,
) -> None:
    """Write simulated Drosophila enhancers and human regulatory elements in their published formats.

    examples:
      proformer simulate-benchmarks --out simulated_benchmarks --enhancers 2000 --elements 1000

    The model is documented in proformer/simulate/benchmarks.py; the same seed gives the same files.
    """
    from proformer.simulate.benchmarks import write_benchmarks

    write_benchmarks(out, enhancers, elements, seed)
    print(f"simulate-benchmarks: wrote {enhancers:,} enhancers and {elements:,} elements of HepG2 to {out}")
