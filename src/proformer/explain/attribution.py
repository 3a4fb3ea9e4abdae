"""What each letter of a sequence contributes to a prediction: in-silico mutagenesis, and methods of gradients.

Scores are float32 [B, T, L, 4], one for each of the four letters at each position:

- "ism": the change of the prediction when the position becomes this letter, exactly, by predicting every single change;
- "gradient": the gradient of the prediction by the letters;
- "smoothgrad": its mean over letters with normal noise (Smilkov et al. 2017);
- "integrated": its mean along the straight path from a quarter of each letter to the sequence (Sundararajan et al.
  2017, integrated gradients);
- "deeplift": DeepLIFT's multipliers between these two (see `deeplift`), refused for models to which it does not apply.

`contributions` makes one number per position of them: the score of the letter that stands there less the mean of all
four. For gradients that is gradient × input after the correction of Majdandzic et al. (2023), for integrated gradients
the attribution itself, whose sum over the sequence is the difference of the predictions of its two ends; for
mutagenesis it is how much the letter is better than the average letter.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from proformer.datasets.store import StoreWriter
from proformer.errors import InputError
from proformer.explain.deeplift import multipliers
from proformer.explain.letters import LETTERS, Letters
from proformer.predict import Predictor
from proformer.sequences import N, Spans, strand_free_keys
from proformer.settings import Attribution, did_you_mean
from proformer.tasks import Task
from proformer.training.validation import predict_codes

STEPS = 32  # of the path of integrated gradients, and noisy copies of SmoothGrad
DELTA = 0.02  # largest error of the sum of DeepLIFT's contributions, as a share of what it should be
NOISE = 0.25  # standard deviation, of letters that are 0 or 1


def summarise(task: Task, output: Tensor) -> Tensor:
    """One number per sequence and task: [B, T, P] to float64 [B, T], in the units of the data where they are linear.

    Logits of binary tasks, the mean bin of bins, log(1 + reads) of counts, the mean over positions of a profile.
    """
    output = output.double()
    if task.kind == "binary":
        return output.mean(dim=2)
    if task.kind == "counts and profile":
        return output[..., 0]
    if task.kind == "bins":
        return output.softmax(dim=2) @ torch.arange(output.shape[2], device=output.device, dtype=output.dtype)
    return task.restore(output).mean(dim=2)


def mutagenesis(predict: Callable[[np.ndarray], np.ndarray], codes: np.ndarray, size: int = 4096) -> np.ndarray:
    """The change of a prediction by every single change of codes uint8 [N, L]: float32 [N, T, L, 4].

    predict: codes to float [N, T]; it is given `size` changed sequences at a time.
    """
    row, place = np.nonzero(codes < N)
    before = predict(codes)
    scores = np.zeros((*before.shape, codes.shape[1], LETTERS), np.float32)
    for start in range(0, 3 * len(row), size):
        change = np.arange(start, min(start + size, 3 * len(row)))
        rows, places = row[change // 3], place[change // 3]
        letters = (codes[rows, places] + 1 + change % 3) % LETTERS
        changed = codes[rows]
        changed[np.arange(len(rows)), places] = letters
        scores[rows, :, places, letters] = predict(changed) - before[rows]
    return scores


class Attributor:
    """Attributes the predictions of one model. tasks: names of those to explain (none: all)."""

    def __init__(self, predictor: Predictor, tasks: Sequence[str] = (), batch_size: int | None = None) -> None:
        names = predictor.task.names
        if unknown := [name for name in tasks if name not in names]:
            raise InputError(f"tasks: found {unknown[0]!r}{did_you_mean(unknown[0], names)}")
        self.predictor, self.model = predictor, predictor.module.requires_grad_(False)
        self.tasks = list(tasks) or list(names)
        self.columns = [names.index(name) for name in self.tasks]
        self.size = batch_size or predictor.batch_size

    def predict(self, codes: np.ndarray) -> np.ndarray:
        """What is explained, of codes uint8 [N, L]: float64 [N, T]."""
        pieces = (self._tensor(codes[i : i + self.size]) for i in range(0, len(codes), self.size))
        return np.concatenate([self.summary(predict_codes(self.model, piece)).cpu().numpy() for piece in pieces])

    def scores(self, codes: np.ndarray, method: Attribution) -> np.ndarray:
        """Scores of all letters of codes uint8 [N, L]: float32 [N, T, L, 4]."""
        if method == "ism":
            return mutagenesis(self.predict, codes, self.size)
        pieces = (self._tensor(codes[i : i + self.size]) for i in range(0, len(codes), self.size))
        return np.concatenate([self._gradients(piece, method).cpu().numpy() for piece in pieces])

    def summary(self, output: Tensor) -> Tensor:
        """Outputs [B, T, P] to what is explained, float64 [B, T] of the chosen tasks."""
        return summarise(self.predictor.task, output)[:, self.columns]

    def gap(self, codes: np.ndarray) -> np.ndarray:
        """Prediction of the sequence less that of a quarter of each letter: float64 [N, T], see `completeness`."""
        found = []
        for start in range(0, len(codes), self.size):
            letters = Letters(self.model, self._tensor(codes[start : start + self.size]))
            with torch.no_grad():
                ends = [self.summary(letters(end)) for end in (letters.one_hot, letters.uniform)]
            found.append((ends[0] - ends[1]).cpu().numpy())
        return np.concatenate(found)

    def _tensor(self, codes: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(codes)).to(self.predictor.device)

    def _gradients(self, codes: Tensor, method: Attribution) -> Tensor:
        letters = Letters(self.model, codes)
        letters.check(predict_codes(self.model, codes))
        ends = letters.uniform, letters.one_hot
        if method == "gradient":
            return letters.gradient(ends[1], self.summary)[1].float()
        if method == "deeplift":
            return self._deeplift(letters)
        generator = torch.Generator().manual_seed(0)
        total: Tensor | float = 0.0
        for step in range(STEPS):
            if method == "integrated":
                point = torch.lerp(*ends, (step + 0.5) / STEPS)
            else:
                noise = torch.randn(ends[1].shape[1:], generator=generator).to(codes.device)
                point = ends[1] + NOISE * noise * letters.known[..., None]
            total = total + letters.gradient(point, self.summary)[1].double()
        return (total / STEPS).float()  # type: ignore[union-attr]

    def _deeplift(self, letters: Letters) -> Tensor:
        found = multipliers(letters, self.summary).float()
        with torch.no_grad():
            gap = self.summary(letters(letters.one_hot)) - self.summary(letters(letters.uniform))
        total = ((letters.one_hot - letters.uniform)[:, None] * found).sum(dim=(2, 3))
        error = float((total - gap).abs().mean() / gap.abs().mean().clamp(min=1e-9))
        if error > DELTA:
            name = type(self.model).__module__.rpartition(".")[2]
            raise InputError(
                f"deeplift: contributions miss the difference of the predictions by {error:.0%}: the model {name} has "
                "layers without a rule (products of activations, attention, LSTMs, pooling); use integrated"
            )
        return found


def contributions(scores: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """What each letter of codes uint8 [N, L] contributes, of scores [N, T, L, 4]: float32 [N, T, L], 0 at an N."""
    own = np.minimum(codes, LETTERS - 1)[:, None, :, None].astype(np.intp)
    found = np.take_along_axis(scores, np.broadcast_to(own, (*scores.shape[:3], 1)), axis=3)[..., 0]
    return np.where(codes[:, None] < N, found - scores.mean(axis=3), 0)


def completeness(scores: np.ndarray, codes: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """How far the sum of integrated gradients is from the difference of predictions that it should be: [N, T].

    gap: see `Attributor.gap`. The difference shrinks with the square of the number of steps.
    """
    return contributions(scores, codes).sum(axis=2) - gap


def attribute_file(
    predictor: Predictor, sequences: Path, out: Path, method: Attribution, tasks: Sequence[str], trimmed: bool
) -> int:
    """Write a store of the scores of every sequence of a file; returns how many.

    Columns: codes uint8 [N, L]; scores float32 [N, T, L, 4]; target float32 [N, T, 1], the predictions that are
    explained. Reads and writes in blocks, so that memory does not grow with the number of sequences.
    """
    attributor = Attributor(predictor, tasks)
    task = {**asdict(predictor.task), "names": attributor.tasks}
    meta = {"task": {"kind": "values", "names": attributor.tasks, "scale": "none"}, "explained": task, "method": method}
    with StoreWriter(out, meta | {"layout": predictor.description["layout"]}) as store:
        for block, _ in predictor.read(sequences, trimmed):
            for start in range(0, len(block), attributor.size):
                codes = block[start : start + attributor.size]
                lengths = np.full(len(codes), codes.shape[1])
                store.append(
                    codes=codes,
                    scores=attributor.scores(codes, method),
                    target=attributor.predict(codes).astype(np.float32)[:, :, None],
                    group=strand_free_keys(codes.ravel(), Spans(np.cumsum(lengths) - lengths, lengths)),
                )
    return store.rows
