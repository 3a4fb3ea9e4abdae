"""What packages need, as their metadata and pyproject.toml have it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def needs(requirements: Iterable[str], extras: Iterable[str] = ("",)) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names, and extras, of the packages that ``requirements`` ask for on this machine."""
    for need in map(Requirement, requirements):
        if not need.marker or any(need.marker.evaluate({"extra": extra}) for extra in extras):
            yield canonicalize_name(need.name), ("", *sorted(need.extras))


def closure(requirements: Iterable[str]) -> set[str]:
    """Names of all packages that these come to, as far as they are installed."""
    wanted, seen = [*needs(requirements)], set()
    while wanted:
        name, extras = wanted.pop()
        if (name, extras) not in seen:
            seen.add((name, extras))
            try:
                wanted += needs(distribution(name).requires or [], extras)
            except PackageNotFoundError:
                continue
    return {name for name, _ in seen}
