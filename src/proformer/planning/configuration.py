"""The workflow's configuration, outside Snakemake: the same files, merged and completed in the same way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from proformer.errors import InputError

SCHEMA = Path("workflow/schemas/config.schema.yaml")


def read_configuration(files: Sequence[str | Path], checkout: Path | None = None) -> tuple[dict[str, Any], Path]:
    """What `snakemake --configfile FILES` has in `config`: `config.yaml`, the files on top of it, then the defaults.

    checkout: where the workflow lies (default: the current folder, else the one that this code is in); returned, too.
    Raises InputError for a file that is missing or no YAML, and for a key or value that the schema does not know.
    """
    try:
        from snakemake.common.configfile import load_configfile
        from snakemake.exceptions import WorkflowError
        from snakemake.utils import update_config, validate
    except ImportError:
        raise InputError("the workflow's configuration needs Snakemake: pip install 'proformer[workflow]'") from None
    places = [checkout] if checkout else [Path.cwd(), Path(__file__).parents[3]]
    root = next((place for place in places if (place / SCHEMA).is_file()), None)
    if root is None:
        raise InputError(f"{SCHEMA}: not found in {' or '.join(map(str, places))}; start this in the checkout")
    config: dict[str, Any] = {}
    try:
        for file in (root / "config.yaml", *files):
            if not Path(file).is_file():
                raise InputError(f"{file}: no such configuration file")
            update_config(config, load_configfile(str(file)))
        validate(config, str(root / SCHEMA))
    except WorkflowError as error:
        raise InputError(f"{', '.join(map(str, files))}: {_gist(str(error))}") from None
    return config, root


def _gist(message: str) -> str:
    """What is wrong, and where, out of a validator's long message: `grids.dream: 'width' was unexpected`."""
    what = " ".join(message.partition("Failed validating")[0].split()).rpartition("ValidationError: ")[2]
    where = re.search(r"On instance((?:\[[^]]+\])+)", message)
    return (".".join(re.findall(r"\['?([^]']+)'?\]", where[1])) + ": " if where else "") + what
