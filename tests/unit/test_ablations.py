"""What an ablation leaves out of Proformer is left out, and the rest is as it was."""

from __future__ import annotations

import pytest
import torch

from proformer.datasets.batches import Batch
from proformer.models import build
from proformer.tasks import Task

KEYS = {"length": 20, "dim": 8, "heads": 2, "blocks": 2, "expression_heads": 3, "kmer": 5}
D = 8
CHANGES = {
    # the change, and how many parameters fewer: two blocks, each with what is listed
    "strands": ({"strands": "forward"}, 20 * D + D),
    "macaron": ({"macaron": False}, 2 * (4 * D * D + 2 * D * D + 2 * D)),
    "convolution": ({"convolution": False}, 2 * (15 * D + D * D + D + 2 * D)),
    "embedding": ({"embedding": "convolution"}, -2 * D),
}


def count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", CHANGES)
def test_parameters_are_gone_and_the_model_learns_from_one_batch(name):
    change, fewer = CHANGES[name]
    torch.manual_seed(0)
    model = build(KEYS | change).train()
    assert count(build(KEYS)) - count(model) == fewer
    batch = Batch(torch.randint(0, 4, (16, 20), dtype=torch.uint8), torch.randn(16, 1, 1))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        loss = model.loss(batch, Task(scale="none"))
        loss.total.backward()
        optimiser.step()
        losses.append(float(loss.parts["task"]))
    assert losses[-1] < losses[0]
    assert {"task", "nucleotides"} == loss.parts.keys()


def test_a_model_of_the_forward_strand_does_not_see_the_other():
    model = build(KEYS | {"strands": "forward"})
    codes = torch.randint(0, 4, (2, 20), dtype=torch.uint8)
    assert torch.equal(model.read(codes), codes)
    assert model(codes).shape == (2, 1, 1)
    joint = build(KEYS | {"strands": "forward", "mask": "joint"})
    joint.loss(Batch(codes, torch.zeros(2, 1, 1)), Task(scale="none"))  # one strand has no other to mask with it


def test_the_whole_step_is_twice_the_half():
    from proformer.models.layers import FeedForward, WholeFeedForward

    half, whole = FeedForward(8, 0.0), WholeFeedForward(8, 0.0)
    whole.load_state_dict(half.state_dict())
    x = torch.randn(2, 5, 8)
    torch.testing.assert_close(whole(x) - x, 2 * (half(x) - x))
