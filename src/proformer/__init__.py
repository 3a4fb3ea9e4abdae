"""Proformer, reproduced: expression from promoter sequences."""

__version__ = "0.1.0"
