"""The designed test sequences of the DREAM challenge, built again on the simulator's model (Rafi et al., Methods).

- random: as the training inserts, 80 nt. Some are the backgrounds of the motif subsets, as published.
- yeast: AT-rich stretches with poly-A or poly-T tracts and binding sites, 80-nt sections of a promoter.
- high, low: a genetic algorithm on the model's expression; designs of all generations, so that they differ.
- challenging: the same algorithm on the difference between the model and its additive variant, both ways round (the
  challenge: between a neural network and a biochemical model).
- SNVs: pairs that differ by one base; half are the steps of trajectories that select for higher or lower expression,
  half are random changes of random, native-like and designed sequences.
- motif perturbation: Reb1 sites (strong or medium, either strand) with 0 to 3 changes at position 20; Hsf1 monomers and
  trimers, one at a time or filled up from the left or right.
- motif tiling: one consensus of six motifs at each position and strand.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from proformer.sequences import ALPHABET, encode, reverse_complement
from proformer.simulate.model import PARAMETERS, evaluate
from proformer.simulate.promoters import INSERT, LIBRARY, Library, random_inserts

# Shares of the test rows; the rest is random. In the published set SNVs take 3 of 4 rows: a small set needs the others.
SHARES = {"yeast": 0.08, "high_exp": 0.06, "low_exp": 0.06, "challenging": 0.08, "SNVs": 0.28}
SHARES |= {"motif_perturbation": 0.12, "motif_tiling": 0.12}
SINGLES = ("random", "yeast", "high_exp", "low_exp", "challenging")
PAIRS = ("SNVs", "motif_perturbation", "motif_tiling")
YEAST = Library(bases=(0.326, 0.185, 0.186, 0.303), gc_shifts=(-0.12, 0.0, 0.12), gc_shares=(0.3, 0.4, 0.3))
TILED = {site.factor: site.consensus for site in PARAMETERS.sites if site.factor not in ("Reb1", "Hsf1")}
REB1 = {"s": "TTACCCG", "m": "TTAGCCG"}  # strong: the consensus; medium: one mismatch
HSF1_MONOMER, HSF1_TRIMER = "ATGGAACA", "TTCTAGAANNTTCT"
POPULATION, GENERATIONS, MUTATION, RECOMBINATION = 100, 8, 0.02, 0.5
STEPS, CANDIDATES = 5, 10  # of a trajectory, per step

Design = tuple[str, np.ndarray]  # its tag, its codes uint8 [80]
Entry = tuple[tuple[str, ...], tuple[int, ...]]


@dataclass
class TestSet:
    """Distinct inserts and the subsets that they belong to, as entries (tags, rows of `inserts`): one each, or two."""

    inserts: list[bytes] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    subsets: dict[str, list[Entry]] = field(default_factory=lambda: {name: [] for name in (*SINGLES, *PAIRS)})
    rows: dict[bytes, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.inserts)

    def add(self, tag: str, codes: np.ndarray) -> int:
        """The row of an insert, a new one unless it is there already."""
        key = codes.tobytes()
        row = self.rows.setdefault(key, len(self))
        if row == len(self):
            self.inserts.append(key)
            self.tags.append(tag)
        return row

    def fill(self, subset: str, designs: Iterator[Design], upto: int) -> None:
        """Add designs to a single subset until the set has `upto` rows."""
        while len(self) < upto:
            tag, codes = next(designs)
            if codes.tobytes() not in self.rows:
                self.subsets[subset].append(((tag,), (self.add(tag, codes),)))

    def pair(self, subset: str, alt: Design, ref: int) -> int:
        """Add an alternative of row `ref` to a subset of pairs."""
        row = self.add(*alt)
        self.subsets[subset].append(((alt[0], self.tags[ref]), (row, ref)))
        return row

    def codes(self, rows: Iterable[int] | None = None) -> np.ndarray:
        """Codes of some or all rows: uint8 [n, 80]."""
        inserts = self.inserts if rows is None else [self.inserts[row] for row in rows]
        return np.frombuffer(b"".join(inserts), dtype=np.uint8).reshape(len(inserts), INSERT)

    def sort(self) -> None:
        """Bring the rows into alphabetical order, as in the published file."""
        order = sorted(range(len(self)), key=self.inserts.__getitem__)
        at = {old: new for new, old in enumerate(order)}
        self.inserts, self.tags = [self.inserts[i] for i in order], [self.tags[i] for i in order]
        self.rows = {key: row for row, key in enumerate(self.inserts)}
        for name, table in self.subsets.items():
            moved = [(tags, tuple(at[row] for row in rows)) for tags, rows in table]
            self.subsets[name] = sorted(moved, key=lambda entry: entry[1])


def expression(codes: np.ndarray, additive: bool = False) -> np.ndarray:
    """Noise-free expression of inserts uint8 [n, 80]: float64 [n]."""
    return evaluate(np.ascontiguousarray(codes.T), additive=additive).expression


def random_designs(rng: np.random.Generator, prefix: str, library: Library = LIBRARY) -> Iterator[Design]:
    """Endless random inserts."""
    for batch in itertools.count():
        for i, codes in enumerate(random_inserts(rng, 256, library).T.copy()):
            yield f"{prefix}{256 * batch + i}", codes


def yeast_designs(rng: np.random.Generator) -> Iterator[Design]:
    """Endless native-like sections: AT-rich, with tracts of 5 to 12 A or T."""
    for k, (_, codes) in enumerate(random_designs(rng, "", YEAST)):
        for _ in range(rng.integers(0, 3)):
            tract = np.full(rng.integers(5, 13), rng.choice([0, 3]), dtype=np.uint8)
            put(codes, tract, int(rng.integers(0, INSERT - len(tract) + 1)))
        yield f"YSIM{k // 5:04d}.{k % 5}", codes


def put(codes: np.ndarray, motif: np.ndarray, start: int) -> np.ndarray:
    """Write a motif over an insert, in place."""
    codes[start : start + len(motif)] = motif
    return codes


def strands(site: str) -> Iterator[tuple[str, np.ndarray]]:
    """Codes of a site as it is, and of its reverse complement, which tags call ".RC"."""
    yield from (("", encode(site)), (".RC", reverse_complement(encode(site))))


def fill_gaps(rng: np.random.Generator, motif: np.ndarray) -> np.ndarray:
    """Replace each N of a consensus by a random base."""
    return np.where(motif < 4, motif, rng.integers(0, 4, len(motif))).astype(np.uint8)


def evolve(rng: np.random.Generator, score: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Designs of all generations of a genetic algorithm that maximises `score`, in turn: uint8 [100, 80].

    Tournaments of three, two-point crossover, and the mutation and recombination rates of the challenge's designs.
    """
    population = random_inserts(rng, POPULATION).T
    column, generations = np.arange(INSERT), []
    for _ in range(GENERATIONS):
        fitness = score(population)
        contest = rng.integers(0, POPULATION, (POPULATION, 3))
        winners = contest[np.arange(POPULATION), fitness[contest].argmax(axis=1)]
        mates = population[winners].reshape(-1, 2, INSERT)
        cut = np.sort(rng.integers(0, INSERT + 1, (len(mates), 2)), axis=1)
        swap = (rng.random(len(mates)) < RECOMBINATION)[:, None] & (column >= cut[:, :1]) & (column < cut[:, 1:])
        children = np.where(swap[:, None], mates[:, ::-1], mates).reshape(POPULATION, INSERT)
        change = rng.integers(1, 4, children.shape) * (rng.random(children.shape) < MUTATION)
        population = ((children + change) % 4).astype(np.uint8)
        generations.append(population)
    row = np.arange(POPULATION)
    return np.stack(generations)[row % GENERATIONS, row]


def evolved_designs(
    rng: np.random.Generator, prefix: str, score: Callable[[np.ndarray], np.ndarray]
) -> Iterator[Design]:
    """Endless designs: one population after the other."""
    for island in itertools.count():
        for i, codes in enumerate(evolve(rng, score)):
            yield f"{prefix}_{POPULATION * island + i}", codes


def reb1_designs(rng: np.random.Generator, name: str, background: np.ndarray) -> Iterator[Design]:
    """Reb1 sites at position 20: each of one change, a random dozen of two and of three changes."""
    for strength, site in REB1.items():
        for strand, motif in strands(site):
            changes: list[list[tuple[int, int]]] = [[], *([(p, step)] for p in range(len(motif)) for step in (1, 2, 3))]
            for size in (*[2] * 12, *[3] * 12):
                places = rng.choice(len(motif), size, replace=False)
                changes.append([(int(p), int(rng.integers(1, 4))) for p in places])
            for change in changes:
                mutant = motif.copy()
                for place, step in change:
                    mutant[place] = (mutant[place] + step) % 4
                label = ".".join(f"{place}{ALPHABET[mutant[place]]}" for place, _ in change)
                tag = f"{name}_Reb1.{strength}{strand}_{label + '_' if label else ''}20"
                yield tag, put(background.copy(), mutant, 20)


def hsf1_designs(rng: np.random.Generator, name: str, background: np.ndarray) -> Iterator[Design]:
    """Hsf1 sites in a row: ten slots for monomers, five for trimers; one, several from the left (L) or right (R)."""
    for label, consensus, pitch, offset in (("mono", HSF1_MONOMER, 8, 0), ("tri", HSF1_TRIMER, 16, 1)):
        slots = list(range(INSERT // pitch))
        motifs = [fill_gaps(rng, encode(consensus)) for _ in slots]
        series = [(f".{pitch * slot}", [slot]) for slot in slots]
        series += [(f".{k + 1}L", slots[: k + 1]) for k in slots]
        series += [(f".{k + 1}R", slots[-k - 1 :]) for k in slots]
        for suffix, used in series:
            codes = background.copy()
            for slot in used:
                put(codes, motifs[slot], pitch * slot + offset)
            yield f"{name}_Hsf1{label}{suffix}", codes


def tiling_designs(rng: np.random.Generator, name: str, background: np.ndarray) -> Iterator[Design]:
    """Each motif on each strand at each position."""
    for factor, site in TILED.items():
        for strand, motif in strands(site):
            for start in range(INSERT - len(motif) + 1):
                yield f"{name}_{factor}{strand}_{start}", put(background.copy(), motif, start)


def _add_motifs(
    tests: TestSet, rng: np.random.Generator, subset: str, sources: tuple, backgrounds: list[int], upto: int
) -> None:
    """Add randomly chosen designs on the backgrounds until the set has `upto` rows."""
    every = []
    for row in backgrounds:
        codes = tests.codes([row])[0]
        every += [(design, row) for source in sources for design in source(rng, tests.tags[row], codes)]
    for i in rng.permutation(len(every)):
        if len(tests) >= upto:
            return
        tests.pair(subset, *every[i])


def _add_snvs(tests: TestSet, rng: np.random.Generator, upto: int) -> None:
    """Add trajectories and random changes, half and half, until the set has `upto` rows."""
    first = len(tests)
    while len(tests) < upto:
        chains = max(1, min(256, (upto - len(tests)) // (2 * STEPS)))
        current = rng.integers(0, first, chains).tolist()
        direction = rng.choice([-1.0, 1.0], chains)
        for _ in range(STEPS):
            current = _mutate(tests, rng, current, CANDIDATES, direction, upto)
        _mutate(tests, rng, rng.integers(0, first, chains * STEPS).tolist(), 1, np.ones(chains * STEPS), upto)


def _mutate(
    tests: TestSet, rng: np.random.Generator, refs: list[int], candidates: int, direction: np.ndarray, upto: int
) -> list[int]:
    """Change one base of each row of `refs`, the best of several random ones in its direction; returns the new rows."""
    mutants = np.repeat(tests.codes(refs)[:, None], candidates, axis=1)
    place = rng.integers(0, INSERT, mutants.shape[:2])
    index = (*np.indices(place.shape), place)
    mutants[index] = (mutants[index] + rng.integers(1, 4, place.shape)) % 4
    level = expression(mutants.reshape(-1, INSERT)).reshape(place.shape)
    best = (level * direction[:, None]).argmax(axis=1)
    rows = []
    for i, (ref, k) in enumerate(zip(refs, best, strict=True)):
        codes, at = mutants[i, k], place[i, k]
        if len(tests) >= upto and codes.tobytes() not in tests.rows:
            rows.append(ref)
        else:
            rows.append(tests.pair("SNVs", (f"{tests.tags[ref]}_{at}{ALPHABET[codes[at]]}", codes), ref))
    return rows


def build(n: int, rng: np.random.Generator) -> TestSet:
    """A test set of exactly `n` distinct inserts (at least 100), in alphabetical order."""
    tests = TestSet()
    quota = {name: round(n * share) for name, share in SHARES.items()}
    # Ten backgrounds for perturbations and three for tiling, as published; more when those give too few designs.
    perturbed, tiled = max(10, quota["motif_perturbation"] // 150), max(3, quota["motif_tiling"] // 700)
    tests.fill("random", random_designs(rng, "rand"), perturbed + tiled)
    others = random_designs(rng, "HQ_")
    tests.fill("random", others, n - sum(quota.values()))

    def goal(subset: str, share: float = 1.0) -> int:
        return len(tests) + round(quota[subset] * share)

    def contrast(codes: np.ndarray) -> np.ndarray:
        return expression(codes) - expression(codes, additive=True)

    tests.fill("yeast", yeast_designs(rng), goal("yeast"))
    listed = tests.subsets["yeast"]
    listed += [((f"Gini.sim.{tag}_ED0",), row) for (tag,), row in listed[::3]]  # twice, as published
    tests.fill("high_exp", evolved_designs(rng, "GA.sim.high", expression), goal("high_exp"))
    tests.fill("low_exp", evolved_designs(rng, "GA.sim.low", lambda codes: -expression(codes)), goal("low_exp"))
    scores = {"GA.sim.full.vs.additive": contrast, "GA.sim.additive.vs.full": lambda codes: -contrast(codes)}
    for prefix, score in scores.items():
        tests.fill("challenging", evolved_designs(rng, prefix, score), goal("challenging", 0.5))
    backgrounds = list(range(perturbed + tiled))
    _add_snvs(tests, rng, goal("SNVs"))
    sources = (reb1_designs, hsf1_designs)
    _add_motifs(tests, rng, "motif_perturbation", sources, backgrounds[:perturbed], goal("motif_perturbation"))
    _add_motifs(tests, rng, "motif_tiling", (tiling_designs,), backgrounds[perturbed:], goal("motif_tiling"))
    tests.fill("random", others, n)
    tests.sort()
    return tests
