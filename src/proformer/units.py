"""Numbers and tables as people read them, and numbers as files must hold them."""

import math
from collections.abc import Collection, Sequence


def whole_number(text: str) -> int | None:
    """A whole number from 0 on, in ASCII digits alone (int() takes 1_5, and digits of other scripts); else None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def plain_number(text: str) -> float:
    """A number in ASCII (float() takes 1_5, and digits of other scripts), else NaN."""
    try:
        return float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return math.nan


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] | None = None) -> str:
    """Rows of text, the first a heading, in aligned columns, some of them to the right (None: those of numbers)."""
    columns = []
    for index, column in enumerate(zip(*rows, strict=True)):
        numbers = all(cell[:1].isdigit() or cell == "?" for cell in column[1:])
        width, to_right = max(map(len, column)), numbers if right is None else index in right
        columns.append([cell.rjust(width) if to_right else cell.ljust(width) for cell in column])
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))


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
