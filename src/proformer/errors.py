"""The one error that a user is expected to meet."""


class InputError(Exception):
    """Something that was given is wrong; the message is one line: where, what was found, what was expected.

    The command line prints it without a traceback and exits with code 2.
    """


EXIT_INTERRUPTED = 75  # EX_TEMPFAIL: stopped in good order; run the same command again
