"""Simulated promoters with known causes: the data of the embedded demo, in the formats of the DREAM challenge.

`model` documents the biophysical model and its equations, `promoters` the random library and its measurement, `designs`
the test subsets, `dream` the files.
"""

from proformer.simulate.dream import write_dream
from proformer.simulate.model import PARAMETERS, Factor, Parameters, Site, State, evaluate
from proformer.simulate.promoters import LIBRARY, Library, Promoters, promoter_blocks, simulate_promoters

__all__ = [
    "LIBRARY",
    "PARAMETERS",
    "Factor",
    "Library",
    "Parameters",
    "Promoters",
    "Site",
    "State",
    "evaluate",
    "promoter_blocks",
    "simulate_promoters",
    "write_dream",
]
