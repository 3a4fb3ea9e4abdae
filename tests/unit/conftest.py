"""Every test begins with PyTorch as a fresh process has it, whatever tests ran before."""

from __future__ import annotations

import pytest
import torch

from proformer.training import products

THREADS = torch.get_num_threads()


@pytest.fixture(autouse=True)
def fresh_torch():
    """Random numbers, threads, determinism and matrix library: a training sets all of them for its process."""
    torch.manual_seed(0)
    torch.set_num_threads(THREADS)
    torch.set_deterministic_debug_mode("default")
    torch.utils.deterministic.fill_uninitialized_memory = True
    products.use(False)
