"""Every test begins with PyTorch as a fresh process has it, whatever tests ran before."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
import torch

from proformer.training import products

THREADS = torch.get_num_threads()
# The same examples every time, however slow the machine.
hypothesis.settings.register_profile("any machine", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("any machine")


@pytest.fixture
def mirrored():
    """The first published file of this pattern in the mirror; without one the test is skipped."""

    def find(pattern):
        found = sorted(Path(os.environ.get("PROFORMER_MIRROR", "nowhere")).glob(pattern))
        return found[0] if found else pytest.skip("PROFORMER_MIRROR, with the published files, is not set")

    return find


@pytest.fixture(autouse=True)
def fresh_torch():
    """Random numbers, threads, determinism and matrix library: a training sets all of them for its process."""
    torch.manual_seed(0)
    torch.set_num_threads(THREADS)
    torch.set_deterministic_debug_mode("default")
    torch.utils.deterministic.fill_uninitialized_memory = True
    products.use_onednn(False)
