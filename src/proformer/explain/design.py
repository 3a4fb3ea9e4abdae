"""Sequences for a wanted prediction, within a budget of edits.

"greedy": of all single changes of each sequence the best one, again and again, until the budget is spent or none is
better: every step is exact in-silico mutagenesis. "evolution": the genetic algorithm by which the DREAM challenge made
its designed sequences (tournaments of three, two-point crossover, mutations), in a population of copies of each
sequence, in which a design of too many edits has no children. "ledidi" (Schreiber et al. 2025; an extra, `make
explain`): the letters of each sequence are drawn by weights that follow the gradient of the prediction.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from proformer.explain.attribution import Attributor
from proformer.explain.letters import Letters
from proformer.explain.meme import missing
from proformer.sequences import N, decode
from proformer.settings import Designer, Goal

Predict = Callable[[np.ndarray], np.ndarray]
Scores = Callable[[np.ndarray], np.ndarray]
MUTATION, RECOMBINATION, GENERATIONS = 0.02, 0.5, 20
DRAWN = 16  # sequences at a time, of ledidi's weights


def designed(
    method: Designer, attributor: Attributor, codes: np.ndarray, goal: Goal, edits: int, seed: int = 0
) -> list[np.ndarray]:
    """Designs of an attributor's first task: codes uint8 [N, L] before, and after each step or at the end."""

    def predict(codes: np.ndarray) -> np.ndarray:
        return attributor.predict(codes)[:, 0]

    if method == "greedy":
        return greedy(predict, lambda codes: attributor.scores(codes, "ism")[:, 0], codes, goal, edits)
    if method == "evolution":
        return evolution(predict, codes, goal, edits, np.random.default_rng(seed))
    return ledidi(attributor, codes, goal, edits, seed)


def distance(values: np.ndarray, goal: Goal) -> np.ndarray:
    """How far predictions are from the goal; less is better."""
    if isinstance(goal, str):
        return -values if goal == "max" else values
    return np.abs(values - goal)


def greedy(predict: Predict, scores: Scores, codes: np.ndarray, goal: Goal, edits: int) -> list[np.ndarray]:
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
    predict: Predict, codes: np.ndarray, goal: Goal, edits: int, random: np.random.Generator
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


class _OfLetters(torch.nn.Module):
    """A model as ledidi wants it: one-hot letters float [n ≤ DRAWN, 4, L] to the prediction [n, 1]."""

    def __init__(self, attributor: Attributor, row: np.ndarray) -> None:
        super().__init__()
        codes = torch.from_numpy(np.repeat(row[None], DRAWN, axis=0)).to(attributor.predictor.device)
        self.summary, self.letters = attributor.summary, Letters(attributor.model, codes)

    def forward(self, letters: Tensor) -> Tensor:
        """Predictions of drawn letters; of the start, which ledidi asks for alone."""
        drawn = letters.transpose(1, 2).expand(DRAWN, -1, -1)
        return self.summary(self.letters(drawn))[: len(letters)].float()


def ledidi(attributor: Attributor, codes: np.ndarray, goal: Goal, edits: int, seed: int) -> list[np.ndarray]:
    """The best of ledidi's designs from each sequence, before and after: codes uint8 [N, L].

    Ledidi weighs edits and has no budget: of a design beyond it, edits are undone, the least useful first. Raises
    InputError where ledidi is not installed, and for models that look no letters up.
    """
    try:
        from ledidi import ledidi as designed
    except ImportError:
        raise missing("ledidi") from None

    def cost(found: Tensor, wanted: Tensor) -> Tensor:
        return {"max": -found, "min": found}[goal].mean() if isinstance(goal, str) else (found - goal).abs().mean()

    def predict(codes: np.ndarray) -> np.ndarray:
        return attributor.predict(codes)[:, 0]

    best = codes.copy()
    for number, row in enumerate(codes):
        model = _OfLetters(attributor, row)
        start = model.letters.one_hot[:1].transpose(1, 2)
        with torch.backends.cudnn.flags(enabled=False):  # whose LSTM wants to be trained
            found = designed(model, start, torch.zeros(1, 1), device=start.device, random_state=seed + number,
                             batch_size=DRAWN, output_loss=cost, verbose=False)  # fmt: skip
        letters = found.argmax(dim=1).byte().cpu().numpy()
        drawn = within_budget(predict, row, np.where(row < N, letters, row), goal, edits)
        drawn = np.concatenate([row[None], drawn])
        best[number] = drawn[distance(predict(drawn), goal).argmin()]
    return [codes.copy(), best]


def within_budget(predict: Predict, start: np.ndarray, designs: np.ndarray, goal: Goal, edits: int) -> np.ndarray:
    """Designs uint8 [n, L] from one start [L], with those edits undone beyond the budget that are missed least."""
    designs = designs.copy()
    while len(rows := np.flatnonzero((designs != start).sum(axis=1) > edits)):
        owner, place = np.nonzero(designs[rows] != start)
        undone = designs[rows[owner]]
        undone[np.arange(len(owner)), place] = start[place]
        cost = distance(predict(undone), goal)
        for number, row in enumerate(rows):
            own = np.flatnonzero(owner == number)
            designs[row] = undone[own[cost[own].argmin()]]
    return designs


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
