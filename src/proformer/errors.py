"""The one error that a user is expected to meet, how it is printed, and how a command ends that is told to stop."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_INTERRUPTED = 75  # EX_TEMPFAIL: stopped in good order; run the same command again


class InputError(Exception):
    """Something that was given is wrong; the message is one line: where, what was found, what was expected.

    The command line prints it without a traceback, below its notes where it has some, and exits with code 2.
    """


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """End this program as wrong input does: one line, without a traceback, and code 2."""
    try:
        yield
    except InputError as error:
        print(f"{what}: error: {printable(error)}", file=sys.stderr)
        raise SystemExit(2) from None


def printable(error: object) -> str:
    """An error, or a name, as one line of printable characters: what comes from a file must not steer the terminal."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        named = " → ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
        text = f"{named}: {error.strerror}"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Have SIGTERM end the block as an error does, so that temporary files go, and then the process as it always would.

    Blocks within may answer the signal otherwise, as trainings do. A process that ignores it, or comes to, goes on so.
    """
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        raise SystemExit(128 + number)

    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    try:
        signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if stopped:
            os.kill(os.getpid(), signal.SIGTERM)
