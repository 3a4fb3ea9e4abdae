"""Files of the library that a job depends on: when one of them changes, it runs again."""

from collections.abc import Iterable
from pathlib import Path

from proformer.points import TrainingJob

LIBRARY = Path(__file__).parents[1]
# What the models share; a model's own file comes on top.
SHARED = tuple(
    f"models/{name}"
    for name in (
        "__init__", "base", "blocks", "composed", "construct", "dropout", "fill_mask", "folder", "keras", "layers",
        "profile_layers", "rewrites",
    )
)  # fmt: skip
TRAINING = (
    "training",
    "datasets/batches",
    "datasets/store",
    "settings",
    "tasks",
    "losses",
    "sequences",
    "evaluation/metrics",
    "evaluation/streaming",
)
EXPLAIN = (
    "explain",
    "predict",
    "simulate",
    "evaluation/metrics",
    "datasets/store",
    "sequences",
    "tasks",
)


def relative(path: Path) -> str:
    """A file of the checkout, relative where that can be: a checkout that is moved finds its results up to date."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def library(*names: str) -> list[str]:
    """Modules or packages below src/proformer, by their names."""
    found = [path for name in names for path in [*sorted((LIBRARY / name).rglob("*.py")), LIBRARY / f"{name}.py"]]
    return [relative(path) for path in found if path.is_file()]


def model_code(jobs: Iterable[TrainingJob]) -> list[str]:
    """Files that make the models of some trainings: their own, and those that all models share."""
    own = sorted({f"models/{job.config['model']['model']}" for job in jobs})
    return library(*SHARED, *own)
