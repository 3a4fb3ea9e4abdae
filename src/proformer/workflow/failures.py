"""Why jobs failed, in a line each: what a user sees at the end of a run, without opening a log."""

from __future__ import annotations

import re
from pathlib import Path

from proformer.files import last_line


def failures(snakemake_log: Path) -> list[str]:
    """The rule, the last line of the log, and the log of every job that failed, from Snakemake's own log."""
    text = snakemake_log.read_text(encoding="utf-8", errors="replace") if snakemake_log.is_file() else ""
    found: dict[str, str] = {}
    for rule, block in re.findall(r"^Error in (?:rule )?(\S+):\n((?: {4}.*\n)+)", text, re.MULTILINE):
        log = re.search(r"^    log: (\S.*?)(?: \(check log file|$)", block, re.MULTILINE)
        path = log[1] if log else ""
        found[path or rule] = f"{rule}: {last_line(Path(path)) or 'no log was written'}" + (
            f" ({path})" if path else ""
        )
    return list(found.values())
