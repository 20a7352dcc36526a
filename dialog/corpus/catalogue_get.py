"""`hred corpora get`: a published corpus, downloaded or taken in, becomes JSON Lines with a datasheet.

    OUT/train.jsonl.gz, valid.jsonl.gz, test.jsonl.gz    or conversations.jsonl.gz where the corpus has no splits
    OUT/datasheet.md                                     its licence, the SHA-256 of what was read, what was lost

While it works, what is downloaded and unpacked stands in `OUT.download`; that goes once OUT is there.
"""

import contextlib
import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from dialog.corpus.catalogue import PublishedCorpus
from dialog.corpus.catalogue_fetch import download, name_of
from dialog.corpus.catalogue_sheet import DATASHEET, Taken, datasheet, datasheet_json
from dialog.corpus.catalogue_unpack import is_archive, unpack
from dialog.corpus.published.material import Found, Material, Tally
from dialog.corpus.tokenized import file_hash
from dialog.errors import LogError, UsageError

__all__ = ["Progress", "get_corpus"]

Progress = Callable[[str, int, int | None], None]
"""Is told: what is being done, how much of it, of how much (None where that is not known)."""

_MANY = 25  # files whose hashes are told one by one


@dataclass(frozen=True, slots=True)
class _Given:
    """What is to be read: a folder or a file, and what the datasheet says of where it came from."""

    path: Path
    origin: str
    taken: list[Taken]
    left_out: list[str]


def get_corpus(
    corpus: PublishedCorpus,
    out: Path,
    given: str | None = None,
    any_version: bool = False,
    overwrite: bool = False,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Makes the folder `out` of a published corpus.

    Args:
        corpus: which one.
        out: the folder to write.
        given: a file, a folder or an address; None downloads it from where it lives.
        any_version: whether a file is taken whose SHA-256 is not the one that is known.
        overwrite: whether a folder that this made before is replaced.
        progress: is told what is done.

    Returns:
        What the datasheet says, as plain JSON values; see `datasheet_json`.

    Raises:
        UsageError: arguments that cannot be.
        LogError: it cannot be had, or its files are damaged.
        LogFormatError: its files are not in the layout that they are published in.
    """
    _check_out(out, overwrite)
    out = out.absolute()
    work = out.with_name(f"{out.name}.download")
    try:
        source = _take(corpus, given, work, any_version, progress)
        sheet = _write(corpus, source, out, work / "new", any_version, progress)
        shutil.rmtree(out, ignore_errors=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        os.replace(work / "new", out)
        shutil.rmtree(work / "files", ignore_errors=True)  # not before: what was downloaded survives an error
    except OSError as error:
        raise LogError(f"{error.filename or out}: {error.strerror or error}") from error
    finally:
        for name in ("new", "unpacked"):
            shutil.rmtree(work / name, ignore_errors=True)
        with contextlib.suppress(OSError):
            work.rmdir()
    return sheet


def _check_out(out: Path, overwrite: bool) -> None:
    """Raises UsageError for a place that holds anything but a corpus that may be replaced."""
    is_empty = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    is_ours = (out / DATASHEET).is_file()
    if is_empty or (is_ours and overwrite):
        return
    if is_ours:
        raise UsageError(
            f"{out} holds a corpus already: add --overwrite to make it anew, or give another --out"
        )
    raise UsageError(f"{out} is there already and was not made by this command: give another --out")


def _take(
    corpus: PublishedCorpus, given: str | None, work: Path, any_version: bool, progress: Progress
) -> _Given:
    """Downloads what is not here, checks hashes, unpacks archives."""
    if given is not None and "://" not in given:
        path = Path(given)
        if not path.exists():
            raise LogError(f"{given} does not exist: check the path")
        files, root = ([path] if path.is_file() else []), path
    else:
        urls = [given] if given is not None else list(corpus.urls)
        if not urls:
            raise UsageError(
                f"{corpus.title} has no one file for everybody: choose yours at {corpus.home} and give it by --from"
            )
        for url in urls:
            name_of(url)
        files = [_downloaded(url, work / "files", progress) for url in urls]
        root = work / "files"
    shown = given or ", ".join(corpus.urls)
    try:
        taken = [_checked(corpus, file, any_version, shown) for file in files]
    except LogError:
        shutil.rmtree(work / "files", ignore_errors=True)  # what was downloaded is not what it should be
        raise
    left_out: list[str] = []
    if any(is_archive(file) for file in files):
        root = work / "unpacked"
        shutil.rmtree(root, ignore_errors=True)
        for file in files:
            progress(f"Unpacking {file.name}", 0, None)
            left_out += unpack(file, root) if is_archive(file) else []
    elif len(files) == 1:
        root = files[0]
    return _Given(root, shown, taken, left_out)


def _downloaded(url: str, folder: Path, progress: Progress) -> Path:
    return download(url, folder, lambda done, total: progress(f"Downloading {name_of(url)}", done, total))


def _checked(
    corpus: PublishedCorpus, file: Path, any_version: bool, origin: str, shown: str | None = None
) -> Taken:
    sha256 = file_hash(file)
    known = corpus.sha256.get(file.name)
    if known is not None and known != sha256 and not any_version:
        raise LogError(
            f"{file} has the SHA-256 {sha256}, but {file.name} of {corpus.title} is known with {known}: it is "
            "damaged or another version; take it anew, or add --any-version"
        )
    return Taken(shown or file.name, file.stat().st_size, sha256, known, origin)


class _Writers(contextlib.ExitStack):
    """Files of conversations by split, opened when the first conversation comes."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._streams: dict[str | None, BinaryIO] = {}
        self.counts: dict[str, dict[str, int]] = {}

    def write(self, found: Found) -> None:
        name = found.split or "conversations"
        if found.split not in self._streams:
            file = self.enter_context((self._folder / f"{name}.jsonl.gz").open("wb"))
            # Without name and time the same conversations are the same bytes.
            packed = gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0)
            self._streams[found.split] = self.enter_context(packed)  # type: ignore[assignment]
            self.counts[name] = {"conversations": 0, "turns": 0}
        turns = [{"speaker": turn.speaker, "text": turn.text} for turn in found.conversation.turns]
        line = json.dumps({"id": found.conversation.id, "turns": turns}, ensure_ascii=False)
        # A lone surrogate of a JSON file has no UTF-8: it stays as the escape that it was.
        self._streams[found.split].write(line.encode("utf-8", errors="backslashreplace") + b"\n")
        self.counts[name]["conversations"] += 1
        self.counts[name]["turns"] += len(turns)


def _write(
    corpus: PublishedCorpus, source: _Given, out: Path, new: Path, any_version: bool, progress: Progress
) -> dict[str, Any]:
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    material, tally = Material.of(source.path), Tally()
    taken = source.taken
    if source.path.is_dir():
        taken = [*taken, *_hashes(corpus, material, any_version, source.origin, whole=not taken)]
    with _Writers(new) as writers:
        for number, found in enumerate(_kept(corpus.reader(material, tally), tally)):
            writers.write(found)
            if number % 500 == 0:
                progress("Reading conversations", number, None)
    if not writers.counts:
        raise LogError(
            f"no conversation is found in {source.path}: check that it is {corpus.title}, and whole"
        )
    sheet = datasheet_json(corpus, taken, writers.counts, tally, source.left_out)
    (new / DATASHEET).write_text(datasheet(sheet, out.name), encoding="utf-8")
    return sheet


def _kept(all_found: Iterator[Found], tally: Tally) -> Iterator[Found]:
    """Leaves out conversations in which nothing is left."""
    for found in all_found:
        if found.conversation.turns:
            yield found
        else:
            tally.note("conversations in which no turn is left", found.conversation.id)


def _hashes(
    corpus: PublishedCorpus, material: Material, any_version: bool, origin: str, whole: bool
) -> list[Taken]:
    """What is read: files with a known hash, and, where there is no archive, all others (in one, if they are many)."""
    few = len(material.files) <= _MANY
    taken = [
        _checked(corpus, file, any_version, origin, material.shown(file))
        for file in material.files
        if file.name in corpus.sha256 or (whole and few)
    ]
    if whole and not few:
        lines = "".join(f"{file_hash(file)}  {material.shown(file)}\n" for file in material.files)
        num_bytes = sum(file.stat().st_size for file in material.files)
        name = f"{len(material.files):,} files (hash of the list of their hashes and names)"
        digest = hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
        taken.append(Taken(name, num_bytes, digest, None, origin))
    return taken
