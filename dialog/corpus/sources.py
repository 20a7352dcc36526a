"""Which files are read, in which format, for which split."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path, PurePosixPath

from dialog.corpus.archives import list_members
from dialog.corpus.chats.slack import is_slack_export
from dialog.corpus.formats import FormatOptions, find_format, is_known_file
from dialog.corpus.opening import find_remote, is_glob, is_url
from dialog.corpus.records import LogFile, LogFormat
from dialog.corpus.splits import splits_by_names
from dialog.corpus.tokenized import SPLITS
from dialog.errors import LogError, LogFormatError, UsageError

__all__ = ["Source", "Sources", "find_sources"]


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read.

    Attributes:
        file: where it is.
        log_format: what it is in; None for an empty file.
        split: the split that it is given for; None where the split is drawn.
    """

    file: LogFile
    log_format: LogFormat | None
    split: str | None


@dataclass(frozen=True, slots=True)
class Sources:
    """All files to read, in order.

    Attributes:
        files: what is read.
        left_out: files of folders that are not read, each with the reason.
        split_by: `files` (given by option), `names` (of files or folders) or `hash`.
    """

    files: list[Source]
    left_out: list[str]
    split_by: str


def find_sources(
    logs: Sequence[Path | str],
    given: Mapping[str, Sequence[Path | str]],
    options: FormatOptions,
    split_by: str,
    max_line_bytes: int,
) -> Sources:
    """Lists the files of `logs` and `given` and finds out their formats.

    Args:
        logs: files, globs of files, and folders of which all known files are read, sorted; paths or addresses.
        given: the same for each split; excludes `logs`.
        options: of the formats.
        split_by: `names`, `hash`, or `auto`: names where every file has one and some file is for training.
        max_line_bytes: see `LogFile`.

    Raises:
        UsageError: no files, or both kinds.
        LogError: a file cannot be read, a folder holds none.
    """
    named_splits = [(split, path) for split in SPLITS for path in given.get(split, ())]
    if bool(logs) == bool(named_splits):
        raise UsageError("give LOGS, or --train with --valid and --test, and not both or none")
    if named_splits and not given.get("train"):
        raise UsageError("--valid and --test need --train: name the files to train on")
    pairs: list[tuple[str | None, Path | str]] = [*named_splits] or [(None, path) for path in logs]
    found: list[Source] = []
    roots: list[tuple[Path, Path]] = []
    left_out: list[str] = []
    for split, path in pairs:
        for root, files, shown in _files_of(str(path)):
            logs_found = [LogFile(file, max_line_bytes, url, member) for file, url, member in files]
            sources = _of_files(logs_found, shown, split, options, left_out)
            found += sources
            roots += [(source.file.path, root) for source in sources]
    if named_splits:
        return Sources(found, left_out, "files")
    names = None if split_by == "hash" else splits_by_names(roots)
    if names is not None:
        named = [Source(each.file, each.log_format, split) for each, split in zip(found, names, strict=True)]
        return Sources(named, left_out, "names")
    if split_by == "names":
        raise UsageError(
            "--split-by names needs train, valid or test in the name of every file or of its folder: "
            "rename them, or give --train, --valid and --test"
        )
    return Sources(found, left_out, "hash")


_Files = list[tuple[Path, str | None, str | None]]  # path, address, name in a ZIP file


def _files_of(name: str) -> Iterator[tuple[Path, _Files, str | None]]:
    """Yields root, files, and the folder's name where files are to be chosen among: one or more for a name."""
    if is_url(name):
        root, remote = find_remote(name)
        if remote is None:
            yield root, [(root / PurePosixPath(name).name, name, None)], None
        else:
            chosen = [(path, url) for path, url in remote if is_known_file(path) or is_glob(name)]
            yield root, [(path, url, None) for path, url in chosen], name
        return
    path = Path(name)
    if not path.exists() and is_glob(name):
        matches = sorted(glob(name, recursive=True))
        if not matches:
            raise LogError(f"no file is found for {name}: check the path")
        for match in matches:
            yield from _files_of(match)
        return
    if not path.exists():
        raise LogError(f"{path} does not exist: check the path")
    if not path.is_dir() and not path.is_file():
        raise LogError(f"{path} is no file that can be read twice: write its content to a file first")
    if is_slack_export(LogFile(path, 0)) and (path.is_dir() or _is_zip(path)):
        yield path.parent, [(path, None, None)], None
    elif path.is_dir():
        known = sorted(file for file in path.rglob("*") if file.is_file() and is_known_file(file))
        yield path, [each for file in known for each in _opened(file)], name
    else:
        yield path, _opened(path), name if _is_zip(path) else None


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


def _opened(path: Path) -> _Files:
    """A file, or the logs in it where it is a ZIP file."""
    if not _is_zip(path) or is_slack_export(LogFile(path, 0)):
        return [(path, None, None)]
    return [
        (path, None, name)
        for name in list_members(path)
        if is_known_file(Path(name)) and not _is_zip(Path(name))
    ]


def _of_files(
    files: list[LogFile], folder: str | None, split: str | None, options: FormatOptions, left_out: list[str]
) -> list[Source]:
    """The sources of a file, or of those of a folder that hold conversations."""
    if folder is None:
        return [Source(file, find_format(file, options), split) for file in files]
    sources: list[Source] = []
    for file in files:
        try:
            sources.append(Source(file, find_format(file, options), split))
        except LogFormatError as error:
            left_out.append(str(error))
    kinds = {source.log_format.name for source in sources if source.log_format}
    if "plain" in kinds and len(kinds) > 1:
        # Notes and lists beside the logs read as plain text too: among files in other formats they are none.
        plain = [each for each in sources if each.log_format and each.log_format.name == "plain"]
        left_out += [
            f"{each.file.shown}: no conversations as in the other files; name it to have it read"
            for each in plain
        ]
        sources = [each for each in sources if each not in plain]
    if not sources:
        raise LogError(f"the folder {folder} holds no file of conversations: name the files, or see --format")
    return sources
