"""`proformer VERB …`: each verb is a function of a module of this package, its options those of the function.

Only the module of the verb that was asked for is imported, and verbs import numpy and torch inside, so that `--help` is
instant.
"""

import os
import signal
import sys
from importlib import import_module
from typing import Any

GROUPS = {
    "your own data and models": {
        "data": ["prepare", "split"],
        "coverage": ["coverage"],
        "training": ["train", "models", "config", "import-weights"],
        "predictions": ["predict", "evaluate"],
        "explain": ["explain", "variants", "intervals"],
        "motifs": ["motifs", "importance", "design"],
    },
    "the workflow": {
        "runs": ["plan", "status", "compare"],
        "fetch": ["fetch"],
        "predictions": ["score"],
        "training": ["benchmark"],
        "atac": ["atac"],
    },
    "steps of the workflow": {
        "simulate": [f"simulate{what}" for what in ("", "-atac", "-vaishnav", "-coverage", "-benchmarks")],
        "data": ["extract", "measured", "nearest"],
        "coverage": ["nonpeaks", "tfrecords"],
        "training": ["train-pack"],
        "predictions": ["peers", "public-test"],
        "prix_fixe": ["prix-fixe"],
        "profiles": ["profiles"],
        "folds": ["folds"],
        "explain": ["explain-models", "explain-patterns", "explain-scored"],
        "tables": ["collect", "test-grid", "report-card", "join", "describe", "draw", "pages", "versions"],
    },
}
VERBS = {verb: module for group in GROUPS.values() for module, verbs in group.items() for verb in verbs}


def main(arguments: list[str] | None = None) -> int:
    """Run one verb. Returns 0, or 2 after a message, its last line, when the input was wrong."""
    from proformer import __version__
    from proformer.cli.options import read_words
    from proformer.errors import InputError, ending_in_order, printable
    from proformer.files import protected
    from proformer.provenance import log_job
    from proformer.settings import did_you_mean

    verb, *words = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if verb in ("--version", "--help", "-h", "help"):
        print(__version__ if verb == "--version" else overview())
        return 0
    if verb not in VERBS:
        print(f"proformer: error: no verb {verb!r}{did_you_mean(verb, VERBS)}", file=sys.stderr)
        return 2
    function = function_of(verb)
    try:
        given, work = read_words(verb, function, words)
        with ending_in_order(), protected(given.values()):
            log_job({"verb": verb} | given)
            work()
            sys.stdout.flush()
    except SystemExit as end:  # help was asked for, or a training was stopped
        return int(end.code or 0)
    except BrokenPipeError:  # `… | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print(f"proformer {verb}: stopped", file=sys.stderr)
        return 128 + signal.SIGINT
    except (InputError, OSError) as error:
        for line in "\n".join(getattr(error, "__notes__", [])).splitlines():
            print(printable(line), file=sys.stderr)
        print(f"proformer {verb}: error: {printable(error)}", file=sys.stderr)
        return 2
    return 0


def function_of(verb: str) -> Any:
    """The function of a verb."""
    return getattr(import_module(f"proformer.cli.{VERBS[verb]}"), verb.replace("-", "_"))


def overview() -> str:
    """All verbs, in groups."""
    lines = ["usage: proformer VERB …          proformer VERB --help says what it takes, with examples"]
    for group, modules in GROUPS.items():
        verbs = [verb for names in modules.values() for verb in names]
        lines += ["", f"{group}:"]
        lines += [f"  {verb:20} {function_of(verb).__doc__.partition(chr(10))[0].rstrip('.')}" for verb in verbs]
    return "\n".join(lines)
