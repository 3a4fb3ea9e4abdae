"""Verbs in processes of their own, forked from one that has imported PyTorch: a start takes no seconds."""

from __future__ import annotations

import multiprocessing
import os
import random
import runpy
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection

from proformer.cli import main

Program = Callable[[list[str]], object]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["proformer.training.run", "proformer.training.pack", "torch._dynamo"])


def _run(program: Program, words: list[str], environment: Mapping[str, str], said: Connection, quiet: bool):
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # a pack has the server start with it blocked
    os.dup2(os.open(os.devnull, os.O_WRONLY) if quiet else said.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    sys.exit(program(words))


def script(words: list[str]) -> None:
    """Run a Python file with its arguments."""
    sys.argv = words
    runpy.run_path(words[0], run_name="__main__")


class Started:
    """A process that has been started, with the methods of subprocess.Popen; it leads a group of its own.

    Of one that is not quiet, stderr is a pipe, which somebody must read.
    """

    def __init__(self, words: Sequence[object], program: Program = main, quiet: bool = False, **variables: str) -> None:
        reader, writer = CONTEXT.Pipe(duplex=False)
        arguments = (program, [*map(str, words)], dict(os.environ | variables), writer, quiet)
        self.process = CONTEXT.Process(target=_run, args=arguments)
        self.process.start()
        writer.close()
        self.pid = self.process.pid
        self.stderr = os.fdopen(os.dup(reader.fileno()), errors="replace")

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self.process.exitcode

    poll = returncode.fget

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    def wait(self, seconds: float = 900) -> int | None:
        """Its exit code; None if it does not end in time."""
        self.process.join(seconds)
        return self.returncode

    def communicate(self, seconds: float = 900) -> tuple[None, str]:
        """What is left to read of its stderr; it is killed if it does not end in time."""
        limit = threading.Timer(seconds, self.kill)
        limit.start()
        said = self.stderr.read()
        self.process.join()
        limit.cancel()
        return None, said


def free_port() -> int:
    """Below the ephemeral ports: one of those may be given to another program before rank 0 takes it."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("localhost", port)):
            return port


def start_ranks(world: int, words_of: Callable[[int], Sequence[object]], program: Program = main) -> list[Started]:
    """One process per rank, each told its number as a launcher tells it."""
    variables = {"WORLD_SIZE": str(world), "MASTER_ADDR": "localhost", "MASTER_PORT": str(free_port())}
    return [
        Started(words_of(rank), program, **variables, RANK=str(rank), LOCAL_RANK=str(rank)) for rank in range(world)
    ]


def finish(processes: Sequence[Started], seconds: float = 900) -> tuple[list[int | None], list[str]]:
    """Exit codes and what was said, by rank. The limit is for processes that wait for each other, not for slow ones."""
    said = [process.communicate(seconds)[1] for process in processes]
    return [process.returncode for process in processes], said
