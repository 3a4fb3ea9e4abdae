"""Files of tar archives."""

import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from proformer.errors import InputError
from proformer.files import atomic, existing


def is_archive(path: Path) -> bool:
    """Whether a file is a tar archive, packed or not."""
    return tarfile.is_tarfile(existing(path))


def extract_member(path: Path, name: str, out: Path) -> None:
    """Write the archive's file of this name, in whatever folder it is there, to `out`.

    Raises InputError where it has no such file, or is damaged.
    """
    try:
        with tarfile.open(path) as archive:
            names = {PurePosixPath(member.name).name: member for member in archive if member.isfile()}
            if name not in names:
                raise InputError(f"{path}: found no file {name!r}; it has {', '.join(sorted(names)[:20]) or 'none'}")
            content = archive.extractfile(names[name])
            assert content is not None
            with atomic(out) as temporary, open(temporary, "wb") as handle:
                shutil.copyfileobj(content, handle, 1 << 20)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: the archive is damaged or cut short ({error}); fetch it again") from None
