"""Sequences for a wanted prediction, within a budget of edits.

"greedy": of all single changes of each sequence the best one, again and again, until the budget is spent or none is
better: every step is exact in-silico mutagenesis. "evolution": the genetic algorithm by which the DREAM challenge made
its designed sequences (tournaments of three, two-point crossover, mutations), in a population of copies of each
sequence, in which a design of too many edits has no children.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd

from proformer.errors import InputError
from proformer.sequences import N, decode

Objective = Literal["max", "min"] | float
Predict = Callable[[np.ndarray], np.ndarray]
Scores = Callable[[np.ndarray], np.ndarray]
MUTATION, RECOMBINATION, GENERATIONS = 0.02, 0.5, 20


def distance(values: np.ndarray, goal: Objective) -> np.ndarray:
    """How far predictions are from the goal; less is better."""
    if isinstance(goal, str):
        return -values if goal == "max" else values
    return np.abs(values - goal)


def greedy(predict: Predict, scores: Scores, codes: np.ndarray, goal: Objective, edits: int) -> list[np.ndarray]:
    """Codes uint8 [N, L] before and after each of `edits` steps; sequences that cannot become better stay.

    predict: codes to float [N]; scores: codes to the change of the prediction by each letter, float [N, L, 4].
    """
    steps = [codes.copy()]
    for _ in range(edits):
        current = steps[-1].copy()
        values = predict(current)
        after = distance(values[:, None, None] + scores(current), goal)
        after[current >= N] = np.inf
        best = after.reshape(len(current), -1).argmin(axis=1)
        place, letter = np.divmod(best, 4)
        better = after.reshape(len(current), -1)[np.arange(len(current)), best] < distance(values, goal)
        rows = np.flatnonzero(better)
        if not len(rows):
            break
        current[rows, place[rows]] = letter[rows]
        steps.append(current)
    return steps


def evolution(
    predict: Predict, codes: np.ndarray, goal: Objective, edits: int, random: np.random.Generator
) -> list[np.ndarray]:
    """The best design that comes from each sequence, before and after: codes uint8 [N, L].

    Each of the sequences has a population of its own, of copies of it.
    """
    number, size = len(codes), 24
    population = np.repeat(codes[:, None], size, axis=1)
    known = codes[:, None] < N
    best = codes.copy()
    for _ in range(GENERATIONS):
        change = random.integers(1, 4, population.shape) * (random.random(population.shape) < MUTATION)
        population = np.where(known, (population + change) % 4, population).astype(np.uint8)
        flat = np.concatenate([best[:, None], population[:, 1:]], axis=1)  # the best so far stays
        cost = distance(predict(flat.reshape(-1, codes.shape[1])), goal).reshape(number, size)
        cost = np.where((flat != codes[:, None]).sum(axis=2) > edits, np.inf, cost)
        best = flat[np.arange(number), cost.argmin(axis=1)]
        contest = random.integers(0, size, (number, size, 3))
        rows = np.arange(number)[:, None, None]
        winners = np.take_along_axis(contest, cost[rows, contest].argmin(axis=2)[..., None], axis=2)[..., 0]
        parents = flat[np.arange(number)[:, None], winners]
        cut = np.sort(random.integers(0, codes.shape[1] + 1, (number, size, 2)), axis=2)
        column = np.arange(codes.shape[1])
        swap = (column >= cut[..., :1]) & (column < cut[..., 1:]) & (random.random((number, size, 1)) < RECOMBINATION)
        population = np.where(swap, parents[:, ::-1], parents)
    return [codes.copy(), best]


def design_table(steps: list[np.ndarray], predict: Predict, truth: Predict | None = None) -> pd.DataFrame:
    """A row per sequence and step: row, step, edits (from the start), predicted, true (if known), sequence."""
    tables = []
    for step, codes in enumerate(steps):
        columns = {"row": np.arange(len(codes)), "step": step, "edits": (codes != steps[0]).sum(axis=1)}
        table = pd.DataFrame(columns | {"predicted": predict(codes)})
        if truth:
            table["true"] = truth(codes)
        tables.append(table.assign(sequence=[decode(row) for row in codes]))
    return pd.concat(tables, ignore_index=True)


def checked_goal(text: str) -> Objective:
    """ "max", "min", or a number. Raises InputError for anything else."""
    if text in ("max", "min"):
        return text  # type: ignore[return-value]
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--goal: found {text!r}, expected max, min or a number") from None
