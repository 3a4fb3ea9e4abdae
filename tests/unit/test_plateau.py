"""A learning rate that falls when the validation loss no longer does, as Keras' ReduceLROnPlateau has it."""

import pytest
import torch
from torch import nn

from proformer.training.config import Training
from proformer.training.optimiser import make_optimiser, make_schedule


def keras(losses, rate, patience, factor):
    """Plainly: `patience` epochs without a loss lower by 1e-4, and the rate is multiplied."""
    rates, best, wait = [], float("inf"), 0
    for loss in losses:
        rates.append(rate)
        if loss < best - 1e-4:
            best, wait = loss, 0
        else:
            wait += 1
            if wait >= patience:
                rate, wait = rate * factor, 0
    return rates


@pytest.mark.parametrize("patience", [1, 3])
def test_the_rate_falls_after_so_many_epochs_without_a_better_loss(patience):
    losses = [3, 2, 2, 2, 2.1, 1.9, 1.9, 1.90001, 1.9, 1.5, 1.6, 1.6, 1.6, 1.6]
    settings = Training(schedule="plateau", plateau_epochs=patience, learning_rate=0.01)
    optimiser = make_optimiser(settings, nn.Linear(1, 1).parameters())
    schedule, rates = make_schedule(optimiser, settings, 10), []
    for epoch, loss in enumerate(losses):
        rates.append(optimiser.param_groups[0]["lr"])
        if epoch == 5:  # as after an interruption
            state = schedule.state_dict()
            schedule = make_schedule(optimiser, settings, 10)
            schedule.load_state_dict(state)
            optimiser.param_groups[0]["lr"] = rates[-1]
        schedule.step(torch.tensor(loss).item())
    assert rates == pytest.approx(keras(losses, 0.01, patience, 0.2))
