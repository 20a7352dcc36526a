"""Logs inside ZIP files, as chat programs export them: listed and read in place, never unpacked to disk."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from dialog.errors import LogError

__all__ = ["list_members", "member_size", "open_member"]


def list_members(path: Path) -> list[str]:
    """Returns the names of the files in a ZIP file, sorted.

    Raises:
        LogError: it cannot be read as one.
    """
    with _as_log_errors(path), zipfile.ZipFile(path) as archive:
        return sorted(
            info.filename
            for info in archive.infolist()
            if not info.is_dir() and not info.filename.startswith("__MACOSX/")
        )


def member_size(path: Path, member: str) -> int:
    """Returns the size of a file in a ZIP file, unpacked.

    Raises:
        LogError: it cannot be read.
    """
    with _as_log_errors(path), zipfile.ZipFile(path) as archive:
        return archive.getinfo(member).file_size


@contextmanager
def open_member(path: Path, member: str) -> Iterator[io.BufferedReader]:
    """Opens a file in a ZIP file for reading.

    Raises:
        LogError: it cannot be opened or read: damaged, encrypted, or packed in a way that Python does not know.
    """
    with _as_log_errors(path), zipfile.ZipFile(path) as archive, archive.open(member) as stream:
        yield io.BufferedReader(cast(io.RawIOBase, stream), 1 << 18)


@contextmanager
def _as_log_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except LogError:
        raise
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, KeyError) as error:
        raise LogError(
            f"{path} is a ZIP file that cannot be read ({error}): take a copy that is whole, or unpack it"
        ) from error
    except OSError as error:
        raise LogError(f"{path} cannot be read: {error.strerror or error}") from error
