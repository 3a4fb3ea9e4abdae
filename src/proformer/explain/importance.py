"""Global importance analysis: what patterns do to predictions on average (Koo et al. 2021; GOPHER, Fig. 6).

A pattern is written into many background sequences, and its importance is the mean difference of their predictions
with it and without it. Backgrounds are sequences whose own patterns are taken out by one of four null models. All that
is needed is a function that predicts codes uint8 [N, L] as float [N, T]: that of a trained model, or the simulator
itself, whose answers are the truth. Tables are long: experiment, pattern, x (what is varied), task, importance, sd
(over backgrounds), n.
"""

import itertools
import re
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from proformer.errors import InputError
from proformer.sequences import ALPHABET, N, encode, reverse_complement
from proformer.settings import Null

Predict = Callable[[np.ndarray], np.ndarray]
DOTS = 6  # of a pattern that take all letters: 4,096 words
FILLS = 25  # random stretches in place of an occluded pattern


def background(codes: np.ndarray, null: Null, random: np.random.Generator) -> np.ndarray:
    """Sequences without the patterns of codes uint8 [N, L].

    dinucleotide, mononucleotide: each shuffled, so that it keeps its own counts of pairs or of letters; profile:
    letters drawn by their share at each position over all sequences; none: as they are. N stays where it is.
    """
    if null == "none":
        return codes.copy()
    if null == "profile":
        counts = np.cumsum([(codes == letter).sum(axis=0) for letter in range(4)], axis=0)
        shares = counts / np.maximum(counts[-1], 1)
        drawn = (random.random(codes.shape)[None] >= shares[:, None]).sum(axis=0)
        return np.where(codes < N, np.minimum(drawn, 3), codes).astype(np.uint8)
    shuffle = random.permutation if null == "mononucleotide" else lambda row: shuffled_pairs(row, random)
    out = codes.copy()
    for row in out:
        row[row < N] = shuffle(row[row < N])
    return out


def shuffled_pairs(letters: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A random sequence with the same counts of every two neighbours: the letters that follow each letter, shuffled.

    The last of those that follow a letter stays the last, so that no step is left over (Altschul & Erickson 1985).
    """
    following = []
    for letter in range(4):
        steps = letters[1:][letters[:-1] == letter]
        steps[:-1] = random.permutation(steps[:-1])
        following.append(iter(steps.tolist()))
    out = list(letters[:1].tolist())
    for _ in range(len(letters) - 1):
        out.append(next(following[out[-1]]))
    return np.array(out, np.uint8)


def embed(codes: np.ndarray, pattern: str, start: int) -> np.ndarray:
    """Copies of codes uint8 [N, L] with a pattern written at a position; its N, or dots, keep what is there."""
    letters = encode(pattern.replace(".", "N"))
    if not 0 <= start <= codes.shape[1] - len(letters):
        raise InputError(f"pattern {pattern}: found the position {start}, expected one within {codes.shape[1]} nt")
    out = codes.copy()
    there = out[:, start : start + len(letters)]
    out[:, start : start + len(letters)] = np.where(letters < N, letters, there)
    return out


class Importance:
    """Experiments on one set of backgrounds, codes uint8 [N, L]; `tasks` are names of what `predict` gives."""

    def __init__(self, predict: Predict, backgrounds: np.ndarray, tasks: Iterable[str] = ("expression",)) -> None:
        self.predict, self.backgrounds, self.tasks = predict, backgrounds, list(tasks)
        self.before = predict(backgrounds)

    def effect(self, codes: np.ndarray) -> np.ndarray:
        """What was written into the backgrounds does, each: float [N, T]."""
        return self.predict(codes) - self.before

    def flanks(self, pattern: str, start: int, most: int = 2) -> pd.DataFrame:
        """The pattern with all 4^n letters at its dots; without a dot, at `most` positions on either side. x: ranks."""
        if "." not in pattern:
            pattern, start = "." * most + pattern + "." * most, start - most
        places = [place for place, letter in enumerate(pattern) if letter == "."]
        if len(places) > DOTS:
            raise InputError(f"flanks: found {len(places)} dots in {pattern}, expected at most {DOTS}")
        tables = [
            self._row("flanks", pattern.replace(".", "N"), 0, self.effect(embed(self.backgrounds, pattern, start)))
        ]
        for letters in itertools.product(ALPHABET[:4], repeat=len(places)):
            word = list(pattern)
            for place, letter in zip(places, letters, strict=True):
                word[place] = letter
            text = "".join(word)
            tables.append(self._row("flanks", text, 0, self.effect(embed(self.backgrounds, text, start))))
        table = pd.concat(tables, ignore_index=True)
        random = table["pattern"].str.contains("N")
        table["x"] = table[~random].groupby("task")["importance"].rank(ascending=False, method="first")
        return table

    def positions(self, pattern: str, starts: Iterable[int], strands: Iterable[int] = (1, -1)) -> pd.DataFrame:
        """The pattern at each position; pattern is followed by the strand it is on. x: positions."""
        tables = []
        for strand in strands:
            text = pattern if strand > 0 else turned(pattern)
            for start in starts:
                effect = self.effect(embed(self.backgrounds, text, start))
                tables.append(self._row("positions", f"{pattern} {'+' if strand > 0 else '-'}", start, effect))
        return pd.concat(tables, ignore_index=True)

    def distances(self, first: str, second: str, centre: int, distances: Iterable[int]) -> pd.DataFrame:
        """Two patterns, one at the centre and one at each distance of starts from it.

        Rows of the pattern "both", "sum" (of the two alone) and "interaction", both less their sum. Distances at which
        the patterns overlap, or the second does not fit in, are left out. x: distances.
        """
        alone, tables = self.effect(embed(self.backgrounds, first, centre)), []
        for distance in distances:
            start = centre + distance
            overlap = -len(second) < distance < len(first)
            if overlap or not 0 <= start <= self.backgrounds.shape[1] - len(second):
                continue
            other = self.effect(embed(self.backgrounds, second, start))
            both = self.effect(embed(embed(self.backgrounds, first, centre), second, start))
            for name, effect in (("both", both), ("sum", alone + other), ("interaction", both - alone - other)):
                tables.append(self._row("distances", f"{first}, {second}: {name}", distance, effect))
        return pd.concat(tables, ignore_index=True)

    def copies(self, pattern: str, starts: Iterable[int]) -> pd.DataFrame:
        """1, 2, … copies of a pattern, at these positions in turn. x: copies."""
        tables, codes = [], self.backgrounds
        for number, start in enumerate(starts, start=1):
            codes = embed(codes, pattern, start)
            tables.append(self._row("copies", pattern, number, self.effect(codes)))
        return pd.concat(tables, ignore_index=True)

    def _row(self, experiment: str, pattern: str, x: float, effect: np.ndarray) -> pd.DataFrame:
        return rows_of(experiment, pattern, x, effect, self.tasks)


def rows_of(experiment: str, pattern: str, x: float, effect: np.ndarray, tasks: list[str]) -> pd.DataFrame:
    """One row a task of effects float [N, T]."""
    numbers = {"task": tasks, "importance": effect.mean(axis=0), "n": len(effect)}
    numbers |= {"sd": effect.std(axis=0, ddof=1) if len(effect) > 1 else np.nan}
    return pd.DataFrame({"experiment": experiment, "pattern": pattern, "x": x, **numbers})


def occlusion(
    predict: Predict, codes: np.ndarray, pattern: str, tasks: list[str], random: np.random.Generator, fills: int = FILLS
) -> pd.DataFrame:
    """What is lost when all matches of a regular expression, on either strand, are filled with random letters.

    Sequences are grouped by their number of matches (x; 3: three and more; a palindrome counts on both strands).
    Importance is the prediction of the sequence less the mean over `fills` fillings. Where there is no match at all, a
    row of x 0 and n 0 says so.
    """
    if re.match(f"(?:{pattern})$", ""):
        raise InputError(f"occlude: found {pattern!r}, which matches nothing as well, expected letters")
    inside, count = np.zeros(codes.shape, bool), np.zeros(len(codes), np.int64)
    for row, line in enumerate(codes):
        for strand, letters in ((1, line), (-1, reverse_complement(line))):
            text = "".join(ALPHABET[code] for code in letters)
            places = inside[row, ::strand]
            for match in re.finditer(f"(?=({pattern}))", text):
                places[slice(*match.span(1))] = True
                count[row] += 1
    rows = np.flatnonzero(count)
    if not len(rows):
        return rows_of("occlusion", pattern, 0, np.full((1, len(tasks)), np.nan), tasks).assign(n=0)
    filled = np.zeros((len(rows), len(tasks)))
    for _ in range(fills):
        drawn = random.integers(0, 4, (len(rows), codes.shape[1]))
        filled += predict(np.where(inside[rows], drawn, codes[rows]).astype(np.uint8))
    effect = predict(codes[rows]) - filled / fills
    groups = np.minimum(count[rows], 3)
    tables = [rows_of("occlusion", pattern, number, effect[groups == number], tasks) for number in np.unique(groups)]
    return pd.concat(tables, ignore_index=True)


def turned(pattern: str) -> str:
    """The reverse complement of a pattern; dots stay."""
    letters = reverse_complement(encode(pattern.replace(".", "N")))
    text = "".join(ALPHABET[code] for code in letters)
    return text.replace("N", ".") if "." in pattern else text
