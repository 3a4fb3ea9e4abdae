"""Why jobs failed, in a line each: what a user sees at the end of a run, without opening a log."""

import re
from collections.abc import Iterable
from pathlib import Path

from proformer.files import last_line


def failures(snakemake_logs: Iterable[str]) -> list[str]:
    """The last line of the log of every job that failed, with its log, from Snakemake's own logs."""
    text = "\n".join(Path(log).read_text(encoding="utf-8", errors="replace") for log in snakemake_logs)
    found: dict[str, str] = {}
    for rule, block in re.findall(r"^Error in (?:rule )?(\S+):\n((?: {4}.*\n)+)", text, re.MULTILINE):
        log = re.search(r"^    log: (\S.*?)(?: \(check log file|$)", block, re.MULTILINE)
        line = last_line(Path(log[1])) if log else ""
        found[rule + (log[1] if log else "")] = f"{line} ({log[1]})" if log and line else f"{rule}: it wrote no log"
    return list(found.values())
