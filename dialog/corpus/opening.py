"""Where the bytes of logs come from: a file here, or an address (`s3://…`) that fsspec knows; packed or not."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from dialog.errors import LogError

__all__ = [
    "PACKED",
    "UNPACKING_ERRORS",
    "find_remote",
    "is_glob",
    "is_url",
    "open_remote",
    "remote_info",
    "unpacked",
]

PACKED = (".gz", ".bz2", ".xz", ".zst")
UNPACKING_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError)
_BUFFER_BYTES = 1 << 18


def is_url(name: str) -> bool:
    """Whether this is an address, and no path."""
    return "://" in name


def is_glob(name: str) -> bool:
    """Whether this may stand for several files."""
    return any(sign in name for sign in "*?[")


@contextmanager
def unpacked(stream: io.BufferedReader) -> Iterator[BinaryIO]:
    """Yields what is packed in `stream` (gzip, bzip2, xz or Zstandard, told by its first bytes), else itself."""
    first = stream.peek(6)[:6]
    opened: Any
    if first[:2] == b"\x1f\x8b":
        opened = gzip.GzipFile(fileobj=stream)
    elif first[:3] == b"BZh":
        opened = bz2.BZ2File(stream)
    elif first == b"\xfd7zXZ\0":
        opened = lzma.LZMAFile(stream)  # noqa: SIM115
    elif first[:4] == b"\x28\xb5\x2f\xfd":
        import pyarrow as pa

        opened = pa.CompressedInputStream(pa.PythonFile(stream), "zstd")
    else:
        yield cast(BinaryIO, stream)
        return
    with opened:
        yield cast(BinaryIO, io.BufferedReader(opened, _BUFFER_BYTES))


@contextmanager
def open_remote(url: str) -> Iterator[io.BufferedReader]:
    """Opens an address for reading.

    Raises:
        LogError: it cannot be opened, or reading it fails.
    """
    filesystem, path = _filesystem(url)
    with _as_log_errors(url), filesystem.open(path, "rb") as stream:
        yield io.BufferedReader(stream, 1 << 20)


def remote_info(url: str) -> tuple[int, str]:
    """Returns the size in bytes and what tells that a file was changed.

    Raises:
        LogError: the address has no file, or one whose size is not known.
    """
    filesystem, path = _filesystem(url)
    with _as_log_errors(url):
        info = filesystem.info(path)
    if info.get("size") is None:
        raise LogError(f"{url} does not say how large it is: download it and give the file")
    version = next((info[key] for key in ("ETag", "mtime", "LastModified", "updated") if info.get(key)), "")
    return int(info["size"]), str(version)


def find_remote(url: str) -> tuple[Path, list[tuple[Path, str]] | None]:
    """Returns the root of an address, and path and address of each file where it is a folder or a glob, sorted.

    Raises:
        LogError: there is nothing.
    """
    filesystem, path = _filesystem(url)
    with _as_log_errors(url):
        if is_glob(url) and filesystem.protocol not in ("http", ("http", "https")):
            found, root = filesystem.glob(path), PurePosixPath(path).parent
        elif filesystem.isdir(path):
            found, root = filesystem.find(path), PurePosixPath(path)
        else:
            return Path(path).parent, None
        pairs = [(Path(each), str(filesystem.unstrip_protocol(each))) for each in sorted(found)]
    if not pairs:
        raise LogError(f"nothing is found at {url}: check the address")
    return Path(root), pairs


def _filesystem(url: str) -> tuple[Any, str]:
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise LogError(f"{url} cannot be read: {error}") from error
    return filesystem, str(path)


@contextmanager
def _as_log_errors(url: str) -> Iterator[None]:
    try:
        yield
    except (LogError, *UNPACKING_ERRORS):
        raise
    except FileNotFoundError as error:
        raise LogError(f"{url} does not exist: check the address") from error
    except Exception as error:  # every kind of storage has errors of its own
        raise LogError(f"{url} cannot be read: {error or type(error).__name__}") from error
