"""The one error that a user is expected to meet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(Exception):
    """Something that was given is wrong; the message is one line: where, what was found, what was expected.

    The command line prints it without a traceback and exits with code 2.
    """


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """End this program as wrong input does: one line, without a traceback, and code 2."""
    try:
        yield
    except InputError as error:
        print(f"{what}: error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


EXIT_INTERRUPTED = 75  # EX_TEMPFAIL: stopped in good order; run the same command again
