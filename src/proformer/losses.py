"""The losses: mean over a batch's outputs and transformed targets, both float [B, T, P]."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from proformer.tasks import LossName, Task


def poisson(output: Tensor, target: Tensor, task: Task) -> Tensor:
    """Negative log-likelihood of counts `target` at rates `output` (at least 0), without the constant ln y!."""
    return F.poisson_nll_loss(output, target, log_input=False, eps=1e-7)


def kl(output: Tensor, target: Tensor, task: Task) -> Tensor:
    """Kullback–Leibler divergence of target probabilities from the softmax of `output`, over bins (last axis), in nats.

    The mean is over sequences and tasks.
    """
    return F.kl_div(output.log_softmax(dim=2), target, reduction="none").sum(dim=2).mean()


def pearson(output: Tensor, target: Tensor, task: Task) -> Tensor:
    """Minus Pearson r over all sequences and positions of the batch, mean over tasks."""
    x, y = (values.transpose(0, 1).flatten(1).float() for values in (output, target))
    return -F.cosine_similarity(x - x.mean(dim=1, keepdim=True), y - y.mean(dim=1, keepdim=True), dim=1).mean()


def pearson_mse(output: Tensor, target: Tensor, task: Task) -> Tensor:
    """Minus Pearson r, plus a thousandth of the squared error (Toneyan et al. 2022)."""
    return pearson(output, target, task) + 1e-3 * F.mse_loss(output, target)


def multinomial_mse(output: Tensor, target: Tensor, task: Task) -> Tensor:
    """Squared error, plus 1e-7 of the multinomial negative log-likelihood of coverage (Toneyan et al. 2022).

    Outputs are logits of where a sequence's coverage is, too. The likelihood is summed over tasks, its mean is over
    sequences.
    """
    return F.mse_loss(output, target) + 1e-7 * _shape(output, target).sum(dim=1).mean()


def _shape(logits: Tensor, counts: Tensor) -> Tensor:
    """Multinomial negative log-likelihood of counts [B, T, P], their coefficient included: [B, T]."""
    counts = counts.float()
    coefficient = torch.lgamma(counts.sum(dim=2) + 1) - torch.lgamma(counts + 1).sum(dim=2)
    return -(coefficient + (counts * logits.float().log_softmax(dim=2)).sum(dim=2))


def multinomial(output: Tensor, target: Tensor, task: Task) -> Tensor:
    """Counts and profile (BPNet, chromBPNet): multinomial negative log-likelihood plus squared error of log totals.

    output, target: log(1 + total) first, then a logit and a count per position. The multinomial coefficient is
    included; the mean is over sequences and tasks.
    """
    shape = _shape(output[..., 1:], target[..., 1:]).mean()
    return shape + task.count_weight * F.mse_loss(output[..., 0].float(), target[..., 0])


LOSSES: dict[LossName, Callable[[Tensor, Tensor, Task], Tensor]] = {
    "mse": lambda output, target, task: F.mse_loss(output, target),
    "huber": lambda output, target, task: F.huber_loss(output, target),  # delta 1
    "poisson": poisson,
    "bce": lambda output, target, task: F.binary_cross_entropy_with_logits(output, target),
    "kl": kl,
    "pearson": pearson,
    "pearson_mse": pearson_mse,
    "multinomial_mse": multinomial_mse,
    "multinomial": multinomial,
}
