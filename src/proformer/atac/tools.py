"""The programs that do the heavy work: found, named by version, joined by pipes; when one fails, the step fails."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from proformer.errors import InputError
from proformer.files import atomic

Command = Sequence[str | Path]
TOOLS = ("fastp", "bowtie2", "bowtie2-build", "samtools", "bedtools", "macs2", "multiqc")
C_LOCALE = os.environ | {"LC_ALL": "C"}  # sort by bytes, the same on every machine
_BROKEN_PIPE = {-signal.SIGPIPE, 128 + signal.SIGPIPE}


def require(tool: str) -> str:
    """Path of a program; InputError with how to get it when it is not there."""
    path = shutil.which(tool) or shutil.which(tool, path=str(Path(sys.executable).parent))
    if path is None:
        package = tool.removesuffix("-build")
        raise InputError(
            f"{tool}: program not found; Debian, Ubuntu: apt-get install {package}; "
            f"or conda install -c conda-forge -c bioconda {package}"
        )
    return path


def version(tool: str) -> str:
    """A program's version, as it prints it."""
    done = subprocess.run([require(tool), "--version"], capture_output=True, encoding="utf-8", errors="replace")
    line = next(iter((done.stdout + done.stderr).strip().splitlines()), "unknown")
    return line.rpartition(" ")[2].removeprefix("v")


def announce(*tools: str) -> None:
    """Write each program's version to the log."""
    for tool in tools:
        print(f"# version {tool} {version(tool)}", file=sys.stderr, flush=True)


def pipeline(
    *commands: Command,
    output: IO[bytes] | None = None,
    messages: Path | None = None,
    environment: dict[str, str] | None = None,
) -> None:
    """Run programs joined by pipes; their messages go to the log, and the first one's to the file `messages` as well.

    Raises InputError with the message of the program that failed. Programs end with the step, however that ends.
    """
    with ExitStack() as stack:
        errors = [stack.enter_context(tempfile.TemporaryFile()) for _ in commands]
        processes: list[subprocess.Popen[bytes]] = []
        for index, (command, error) in enumerate(zip(commands, errors, strict=True)):
            last = index == len(commands) - 1
            process = subprocess.Popen(
                [require(str(command[0])), *map(str, command[1:])],
                stdin=processes[-1].stdout if processes else subprocess.DEVNULL,
                stdout=(output if output is not None else sys.stderr.fileno()) if last else subprocess.PIPE,
                stderr=error,
                env=environment,
            )
            stack.callback(process.kill)
            if processes and processes[-1].stdout:
                processes[-1].stdout.close()
            processes.append(process)
        codes = [process.wait() for process in processes]
        texts = []
        for error in errors:
            error.seek(0)
            texts.append(error.read().decode("utf-8", "replace"))
    print("".join(texts), file=sys.stderr, end="", flush=True)
    if messages is not None:
        messages.write_text(texts[0], encoding="utf-8")
    failed = [index for index, code in enumerate(codes) if code]
    if failed:
        index = next((i for i in failed if codes[i] not in _BROKEN_PIPE), failed[0])
        raise InputError(f"{commands[index][0]} failed (exit code {codes[index]}): {_cause(texts[index])}")


@contextmanager
def bedtools_session(beside: Path) -> Iterator[None]:
    """pybedtools with a temporary folder of its own, removed at the end (it would fill the machine's otherwise)."""
    import pybedtools

    before = tempfile.gettempdir()
    beside.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=beside.parent, prefix=f".{beside.name}.") as folder:
        pybedtools.set_tempdir(folder)
        try:
            yield
        finally:
            pybedtools.cleanup()
            pybedtools.set_tempdir(before)


def output_of(command: Command) -> str:
    """What a program prints."""
    with tempfile.TemporaryFile() as handle:
        pipeline(command, output=handle, environment=C_LOCALE)
        handle.seek(0)
        return handle.read().decode("utf-8", "replace")


def compressed(path: Path, *commands: Command) -> None:
    """Run a pipeline into a gz file that appears whole or not at all."""
    with atomic(path) as temporary, open(temporary, "wb") as handle:
        pipeline(*commands, ["gzip", "-c", "-3"], output=handle, environment=C_LOCALE)


def _cause(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    worst = [line for line in lines if re.search(r"\berr(or)?\b|no space", line, re.IGNORECASE)]
    return (worst or lines or ["it gave no message"])[0 if worst else -1]
