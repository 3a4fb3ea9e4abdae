"""Which known motifs a motif resembles, as Tomtom tells it (Gupta et al. 2007, Genome Biology 8:R24).

Two motifs are laid over each other at every offset, on both strands. An overlap's score is the sum over its columns of
the negative Euclidean distance, as a whole number, less the query column's median over all columns of the database.
Its p value is exact under the null hypothesis that the target's columns are drawn from those of the database: the
distribution of a sum of columns is the convolution of theirs. The best of all offsets is corrected for their number.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from proformer.explain.meme import Motifs, consensus

STEPS = 100  # of a column's score, from the least to the largest of the query
OVERLAP = 5  # least number of columns, unless a motif is shorter
COLUMNS = ["query", "target", "p", "E", "q", "offset", "overlap", "strand", "query_consensus", "target_consensus"]


@dataclass(frozen=True)
class Database:
    """The columns of all targets on both strands, with blank columns between them, so that overlaps never meet two.

    columns: float64 [C, 4]; target: int64 [C], -1 for blanks; strand: 1 or -1, int64 [C].
    """

    names: list[str]
    motifs: list[np.ndarray]
    columns: np.ndarray
    target: np.ndarray
    strand: np.ndarray

    @classmethod
    def of(cls, motifs: Motifs, gap: int) -> "Database":
        """Lay motifs out with `gap` blank columns around each."""
        blank = np.zeros((gap, 4))
        columns, target, strand = [blank], [np.full(gap, -1)], [np.ones(gap, int)]
        for sign in (1, -1):
            for number, matrix in enumerate(motifs.values()):
                columns += [matrix[::sign, ::sign], blank]
                target += [np.full(len(matrix), number), np.full(gap, -1)]
                strand.append(np.full(len(matrix) + gap, sign))
        joined = np.concatenate(columns), np.concatenate(target), np.concatenate(strand)
        return cls([*motifs], [*motifs.values()], *joined)


def match(queries: Motifs, targets: Motifs, best: int = 0) -> pd.DataFrame:
    """Compare every query with every target: rows of `COLUMNS`, by query and then by p.

    E: p times the number of targets; q: of the query's targets (Benjamini and Hochberg). offset: of the query's first
    column in the target (on the strand that is compared). best: keep so many targets of each query (0: all).
    """
    database = Database.of(targets, max(map(len, queries.values()), default=1))
    tables = [_compare(name, matrix, database) for name, matrix in queries.items()]
    tables = [table.head(best or None) for table in tables]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _compare(name: str, query: np.ndarray, database: Database) -> pd.DataFrame:
    real = database.target >= 0
    distance = -np.linalg.norm(query[:, None] - database.columns[None, real], axis=2)
    distance -= np.median(distance, axis=1, keepdims=True)
    scale = STEPS / max(np.ptp(distance), 1e-12)
    whole = np.zeros((len(query), len(real)), np.int64)
    whole[:, real] = np.rint(distance * scale)
    tails = _tails(whole[:, real])
    width, starts = len(query), len(real) - len(query) + 1
    score, first, last = np.zeros(starts, np.int64), np.full(starts, width), np.zeros(starts, np.int64)
    owner, strand = np.full(starts, -1), np.ones(starts, np.int64)
    for column in range(width):  # of every offset at once
        there = slice(column, column + starts)
        inside = real[there]
        score += whole[column, there]
        first = np.minimum(first, np.where(inside, column, width))
        last = np.where(inside, column + 1, last)
        owner = np.where(inside, database.target[there], owner)
        strand = np.where(inside, database.strand[there], strand)
    sizes = np.array([len(matrix) for matrix in database.motifs])
    least = np.minimum(OVERLAP, np.minimum(width, sizes))
    good = np.flatnonzero((owner >= 0) & (last - first >= least[owner]))
    p = np.empty(len(good))
    for segment in np.unique(first[good] * (width + 1) + last[good]):
        here = (first[good] * (width + 1) + last[good]) == segment
        lowest, tail = tails[divmod(int(segment), width + 1)]
        p[here] = tail[score[good][here] - lowest]
    table = pd.DataFrame({"place": good, "owner": owner[good], "p": p, "strand": strand[good]})
    tried = table["owner"].value_counts()
    table = table.sort_values("p", kind="stable").drop_duplicates("owner")
    beginning = _beginnings(database)
    table["offset"] = table["place"] - [beginning[each] for each in zip(table["owner"], table["strand"], strict=True)]
    table["overlap"] = (last - first)[table["place"]]
    table["p"] = -np.expm1(tried[table["owner"]].to_numpy() * np.log1p(-np.minimum(table["p"], 1 - 1e-12)))
    table = table.sort_values("p", kind="stable")
    return table.assign(
        query=name,
        target=[database.names[owner] for owner in table["owner"]],
        E=table["p"] * len(table),
        q=stats.false_discovery_control(table["p"]) if len(table) else [],
        query_consensus=consensus(query),
        target_consensus=[consensus(database.motifs[owner]) for owner in table["owner"]],
        strand=np.where(table["strand"] > 0, "+", "-"),
    )[COLUMNS]


def _beginnings(database: Database) -> dict[tuple[int, int], int]:
    """Where each target's first column is on each strand."""
    found: dict[tuple[int, int], int] = {}
    for place in np.flatnonzero(database.target >= 0).tolist():
        found.setdefault((int(database.target[place]), int(database.strand[place])), place)
    return found


def _tails(scores: np.ndarray) -> dict[tuple[int, int], tuple[int, np.ndarray]]:
    """For the query's columns first..last: the lowest score, and the chance of each score or more above it."""
    tails = {}
    for first in range(len(scores)):
        lowest, chance = 0, np.ones(1)
        for last in range(first, len(scores)):
            low = int(scores[last].min())
            counts = np.bincount(scores[last] - low) / scores.shape[1]
            lowest, chance = lowest + low, np.convolve(chance, counts)
            tails[first, last + 1] = lowest, np.cumsum(chance[::-1])[::-1]
    return tails
