"""Numbers and tables as people read them, and numbers as files must hold them."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
LARGEST = 3.4028234e38  # of float32, in which targets are stored


def whole_number(text: str) -> int | None:
    """A whole number from 0 on, in ASCII digits alone (int() takes 1_5, and digits of other scripts); else None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def finite_number(text: str) -> float | None:
    """A decimal number that float32 can hold, in ASCII (float() takes 1_5, and digits of other scripts); else None."""
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    return number if abs(number) <= LARGEST else None


def aligned(rows: Sequence[Sequence[str]], right: Collection[int]) -> str:
    """Rows of text as a table with aligned columns, some of them to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = [
        [cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]
        for row in rows
    ]
    return "\n".join("  ".join(row).rstrip() for row in cells)


def as_bytes(size: float) -> str:
    """Bytes in decimal units, three digits."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} TB"


def as_hours(hours: float) -> str:
    """Hours, or minutes below one hour."""
    return f"{hours:,.0f} h" if hours >= 99.5 else f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"


def as_count(count: int) -> str:
    """Thousands and millions, three digits."""
    return f"{count / 1e6:.3g} M" if count >= 999_500 else f"{count / 1e3:.3g} k" if count >= 1000 else str(count)
