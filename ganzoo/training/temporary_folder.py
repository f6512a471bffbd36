"""The folder for temporary files, which torch needs for its optimizers already."""

from __future__ import annotations

import tempfile

from ganzoo.errors import RunError


def check_temporary_folder() -> None:
    """Raises: RunError where no folder for temporary files can be written, where torch raises an odd error."""
    try:
        tempfile.gettempdir()
    except OSError as error:
        raise RunError(
            f"no folder for temporary files can be written: {error.strerror or error}.",
            remedy="Name one that can be: TMPDIR=/some/folder ganzoo ...",
        ) from error
