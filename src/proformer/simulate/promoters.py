"""Random promoters and what a sorting experiment would have measured of them.

Sequences: random inserts between the constant flanks; lengths, base composition, its spread between promoters and the
runs of N follow the published sample of the DREAM training data (6,370 rows). Unlike there, three binding sites on
average are planted in each, on either strand (`Site.planted`): a thousand promoters then show as many sites as chance
puts into a million.

Measurement: a promoter's clone has k cells, k geometric (the sizes of clones that grow without limit). Each cell falls
into the bin round(E + s·ε), ε standard normal, cut to 0..17, and is read r times, r = 0.2 + an exponential number. The
measured value is Σ r·bin / Σ r: a whole number for one cell, or when all cells fell into one bin (58 % of the published
rows, 62 % of these), otherwise a number with decimals. s is smaller than the 1.55 that would fit the published sample:
a perfect model reaches r = .97 of these values, and would reach .92 of those.

Promoters are made in blocks of `BLOCK`, each from its own random stream, so that memory stays flat and the first rows
of a large run are those of a small one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from proformer.errors import InputError
from proformer.sequences import ALPHABET, N
from proformer.simulate.model import PARAMETERS, evaluate, oriented

LEFT_FLANK, RIGHT_FLANK = "TGCATTTTTTTCACATC", "GGTTACGGCTGTT"
INSERT, SHORTEST, LONGEST = 80, 48, 112  # nt
BINS = 18
BLOCK = 2048
_LETTERS = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)


@dataclass(frozen=True)
class Library:
    """What the random promoters and their measurement look like."""

    bases: tuple[float, ...] = (0.255, 0.13, 0.253, 0.362)  # A, C, G, T between planted sites; as published with them
    gc_shifts: tuple[float, ...] = (-0.085, -0.0425, 0.0, 0.0425, 0.085)  # of a promoter's expected GC content
    gc_shares: tuple[float, ...] = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
    length_80: float = 0.819
    length_79: float = 0.1275
    length_81: float = 0.0046
    longer: float = 0.003  # 82..112 nt, each as likely (published: 0.0014, which would leave small sets without any)
    shrinking: float = 0.42  # each nt less than 78 is this much rarer
    unknown: float = 25 / 6370  # share of promoters with a run of N
    single_cell: float = 0.53  # chance of a clone of one cell
    cell_spread: float = 0.9  # s, bins

    def lengths(self) -> np.ndarray:
        """Probability of each insert length `SHORTEST`..`LONGEST`: float64 [65]."""
        p = np.zeros(LONGEST - SHORTEST + 1)
        p[82 - SHORTEST :] = self.longer / (LONGEST - 81)
        p[79 - SHORTEST : 82 - SHORTEST] = self.length_79, self.length_80, self.length_81
        shorter = self.shrinking ** np.arange(78 - SHORTEST, -1, -1)
        p[: 79 - SHORTEST] = (1 - p.sum()) * shorter / shorter.sum()
        return p


LIBRARY = Library()


@dataclass
class Promoters:
    """n promoters; `codes` uint8 [n, 112] holds each insert at its right end, N before it."""

    codes: np.ndarray
    length: np.ndarray  # int64 [n], nt of insert
    expression: np.ndarray  # float64 [n], noise-free, bins
    occupancy: np.ndarray  # float32 [n, factors]
    opening: np.ndarray  # float64 [n]
    cells: np.ndarray  # int64 [n]
    measured: np.ndarray  # float64 [n], bins

    def sequences(self) -> list[str]:
        """The promoters as text, flanks included."""
        return with_flanks(self.codes, self.length)


def stream(seed: int, *path: int) -> np.random.Generator:
    """An independent random generator for each place in the program."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *path])))


def with_flanks(codes: np.ndarray, lengths: np.ndarray | None = None) -> list[str]:
    """Inserts (uint8 [n, width], each at the right end of its row) as text between the flanks."""
    width = codes.shape[1]
    text = _LETTERS[codes].tobytes().decode()
    stops = np.arange(1, len(codes) + 1) * width
    starts = stops - (width if lengths is None else lengths)
    return [f"{LEFT_FLANK}{text[a:b]}{RIGHT_FLANK}" for a, b in zip(starts.tolist(), stops.tolist(), strict=True)]


def _composition(library: Library) -> np.ndarray:
    """Which base a random byte stands for at each shift of the GC content: uint8 [shifts * 256]."""
    bases = np.array(library.bases)
    strong = np.array([False, True, True, False])
    gc = bases[strong].sum()
    tables = []
    for shift in library.gc_shifts:
        share = bases * np.where(strong, (gc + shift) / gc, (1 - gc - shift) / (1 - gc))
        tables.append(np.searchsorted(np.cumsum(share)[:3], (np.arange(256) + 0.5) / 256).astype(np.uint8))
    return np.concatenate(tables)


def _draw(rng: np.random.Generator, p: np.ndarray | tuple[float, ...], n: int) -> np.ndarray:
    """n random indices with probabilities p: int64 [n]."""
    return np.minimum(np.searchsorted(np.cumsum(p), rng.random(n), side="right"), len(p) - 1)


def random_inserts(rng: np.random.Generator, n: int, library: Library = LIBRARY) -> np.ndarray:
    """n random inserts of 80 known bases, with binding sites planted: uint8 [80, n], one per column."""
    shift = _draw(rng, library.gc_shares, n) * 256
    codes = _composition(library)[shift + rng.integers(0, 256, (INSERT, n), dtype=np.uint8)]
    for site in PARAMETERS.sites:
        for strand in (1, -1):
            column = np.repeat(np.arange(n), rng.poisson(site.planted / 2, n))
            motif = oriented(site, strand)
            row = rng.integers(0, INSERT - len(motif) + 1, len(column)) + np.arange(len(motif))[:, None]
            codes[row, column] = np.where(motif[:, None] < N, motif[:, None], codes[row, column])
    return codes


def _library_inserts(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Inserts of all lengths, some with a run of N: codes uint8 [112, n] and lengths int64 [n]."""
    length = SHORTEST + _draw(rng, LIBRARY.lengths(), n)
    codes = np.full((LONGEST, n), N, dtype=np.uint8)
    codes[LONGEST - INSERT :] = random_inserts(rng, n)
    odd = np.flatnonzero(length != INSERT)
    longer = random_inserts(rng, len(odd))[: LONGEST - INSERT]
    row = np.arange(LONGEST)[:, None]
    block = np.concatenate([longer, codes[LONGEST - INSERT :, odd]])
    codes[:, odd] = np.where(row < LONGEST - length[odd], N, block)
    # In the published sample a run begins near position 18 or, four times as often, near 60, and has 13 to 23 N.
    unknown = np.flatnonzero(rng.random(n) < LIBRARY.unknown)
    start = np.where(rng.random(len(unknown)) < 0.2, 17, 58) + rng.integers(0, 5, len(unknown))
    first = LONGEST - length[unknown] + np.minimum(start, length[unknown] - 2)
    run = (row >= first) & (row < first + rng.integers(13, 24, len(unknown)))
    codes[:, unknown] = np.where(run, N, codes[:, unknown])
    return codes, length


def _sort_cells(rng: np.random.Generator, expression: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort the cells of each promoter: number of cells int64 [n], mean bin weighted by reads float64 [n]."""
    n = len(expression)
    cells = rng.geometric(LIBRARY.single_cell, n)
    owner = np.repeat(np.arange(n), cells)
    level = expression[owner] + LIBRARY.cell_spread * rng.standard_normal(len(owner))
    bins = np.clip(np.rint(level), 0, BINS - 1)
    reads = 0.2 + rng.standard_exponential(len(owner))
    mean = np.bincount(owner, reads * bins, minlength=n) / np.bincount(owner, reads, minlength=n)
    first = np.cumsum(cells) - cells
    low, high = np.minimum.reduceat(bins, first), np.maximum.reduceat(bins, first)
    return cells, np.where(low == high, low, mean)


def promoter_blocks(n: int, seed: int) -> Iterator[Promoters]:
    """Yield n promoters in blocks of at most `BLOCK`; the k-th promoter does not depend on n."""
    if n < 1 or seed < 0:
        raise InputError(f"found {n} promoters with seed {seed}, expected at least 1 promoter and a seed from 0 on")
    for block, start in enumerate(range(0, n, BLOCK)):
        rng = stream(seed, 0, block)
        codes, length = _library_inserts(rng, BLOCK)
        state = evaluate(codes[LONGEST - INSERT :])
        long = np.flatnonzero(length > INSERT)
        if len(long):
            for values, better in zip(state, evaluate(codes[:, long]), strict=True):
                values[..., long] = better
        cells, measured = _sort_cells(rng, state.expression)
        keep = slice(0, min(BLOCK, n - start))
        columns = (codes.T, length, state.expression, state.occupancy.T, state.opening, cells, measured)
        yield Promoters(*(np.ascontiguousarray(column[keep]) for column in columns))


def simulate_promoters(n: int, seed: int) -> Promoters:
    """n random promoters with their noise-free and measured expression; the same seed gives the same promoters.

    Raises InputError when n < 1 or seed < 0. For many millions use `promoter_blocks`, which holds one block at a time.
    """
    blocks = list(promoter_blocks(n, seed))
    return Promoters(*(np.concatenate([getattr(b, name) for b in blocks]) for name in Promoters.__dataclass_fields__))
