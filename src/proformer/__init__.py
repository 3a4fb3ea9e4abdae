"""Proformer, reproduced: expression from promoter sequences.

From Python: `proformer.load(folder).predict(sequences)` and `proformer.train((sequences, targets), "legnet")`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proformer.fit import train
    from proformer.predict import Predictor, load

__version__ = "0.1.0"
__all__ = ["Predictor", "__version__", "load", "train"]


def __getattr__(name: str) -> Any:
    """What needs PyTorch is imported when it is asked for."""
    from importlib import import_module

    modules = {"load": "predict", "Predictor": "predict", "train": "fit"}
    if name not in modules:
        raise AttributeError(f"module 'proformer' has no attribute {name!r}")
    return getattr(import_module(f"proformer.{modules[name]}"), name)
