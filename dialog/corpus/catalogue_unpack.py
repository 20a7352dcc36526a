"""Unpacking archives of strangers: nothing is written outside the folder, no link is made, and no bomb goes off.

A path that leads out of the folder stops everything: such an archive was made to do harm, or is damaged. Links and
devices are left out. Archives inside the archive (DailyDialog's splits are such) are unpacked too, each into a folder
of its name.
"""

import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple, cast

from dialog.corpus.opening import UNPACKING_ERRORS
from dialog.errors import LogError

__all__ = ["is_archive", "unpack"]

_MOST_TIMES = 100
_FREE = 1 << 30
_DEEPEST = 2
_PIECE = 1 << 20
_ENDINGS = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")


class _Member(NamedTuple):
    """A file in an archive: its name there, and its stream; no stream for what is no plain file."""

    name: str
    stream: BinaryIO | None


def is_archive(file: Path) -> bool:
    """Whether a file is a zip or tar archive, by its content."""
    return zipfile.is_zipfile(file) or tarfile.is_tarfile(file)


def unpack(archive: Path, folder: Path) -> list[str]:
    """Unpacks a zip or tar archive, and those inside it.

    Args:
        archive: the file.
        folder: where to; made if it is missing.

    Returns:
        What was left out: links and devices.

    Raises:
        LogError: it is damaged, locked by a password, made to do harm, or unpacks to more than 100 times its size
            (1 GiB is always allowed).
        OSError: the folder cannot be written to.
    """
    left_out: list[str] = []
    room = max(_FREE, _MOST_TIMES * archive.stat().st_size)
    _unpack(archive, folder, [room], left_out, 0)
    return left_out


def _unpack(archive: Path, folder: Path, room: list[int], left_out: list[str], depth: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    inner: list[Path] = []
    try:
        for member in _members(archive):
            place = _place(folder, member.name, archive)
            if member.stream is None:
                left_out.append(member.name)
                continue
            if "__MACOSX" in place.parts or place.name.startswith("._"):
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("wb") as out:
                while piece := member.stream.read(_PIECE):
                    room[0] -= len(piece)
                    if room[0] < 0:
                        raise LogError(
                            f"{archive.name} unpacks to more than {_MOST_TIMES} times its size: if that is meant, "
                            "unpack it by hand and give the folder"
                        )
                    out.write(piece)
            if depth < _DEEPEST and place.name.lower().endswith(_ENDINGS) and is_archive(place):
                inner.append(place)
    except (
        *UNPACKING_ERRORS,
        zipfile.BadZipFile,
        tarfile.TarError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        # RuntimeError is zipfile's for a password, NotImplementedError for a way of packing that it does not know.
        raise LogError(
            f"{archive.name} cannot be unpacked ({error}): take it anew, or unpack it by hand"
        ) from error
    for each in inner:
        target = each.with_name(each.name.split(".")[0])
        if target.exists() and not target.is_dir():
            target = each.with_name(f"{each.name}.unpacked")
        _unpack(each, target, room, left_out, depth + 1)
        each.unlink()


def _members(archive: Path) -> Iterator[_Member]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                if info.is_dir():
                    continue
                kind = stat.S_IFMT(info.external_attr >> 16)
                if kind not in (0, stat.S_IFREG):
                    yield _Member(info.filename, None)
                    continue
                with packed.open(info) as stream:
                    yield _Member(info.filename, cast(BinaryIO, stream))
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            if not member.isdir():
                content = tar.extractfile(member) if member.isreg() else None
                yield _Member(member.name, cast(BinaryIO | None, content))


def _place(folder: Path, name: str, archive: Path) -> Path:
    """Where a member goes, inside the folder.

    Raises:
        LogError: its name leads out of it.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    leads_out = not parts or name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in name
    if leads_out or (folder / Path(*parts)).is_symlink():
        raise LogError(
            f"{archive.name} holds {name!r}, a path that leads out of its folder: it is damaged or made to do harm; "
            "take it from where the corpus lives"
        )
    return folder / Path(*parts)
