"""Downloads of files that may be large: what is there already is kept, and the rest asked for (HTTP ranges).

    FILE.part        what has come so far
    FILE.part.json   whose it is: address, and the ETag or date by which a server tells that the file has changed

A connection that breaks is taken up again a few times; then the download stops with one sentence, and the next call
goes on from what is there. A server that knows no ranges, or whose file has changed, starts it anew.
"""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from dialog import __version__
from dialog.errors import LogError, UsageError

__all__ = ["download", "name_of"]

_PIECE = 1 << 18
_TRIES = 5
_TIMEOUT = 60.0  # seconds without a byte

Progress = Callable[[int, int | None], None]
"""Is told: bytes that are there, and of how many; None where the server does not say."""


def name_of(url: str) -> str:
    """Returns the file name that an address ends in.

    Raises:
        UsageError: the address is not http(s) or names no file.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UsageError(
            f"{url} is no address that can be downloaded from: give one with http:// or https://"
        )
    name = unquote(parts.path).rsplit("/", 1)[-1]
    if name in ("", ".", "..") or "\\" in name or "\0" in name:
        raise UsageError(f"{url} names no file: give the address of the file itself")
    return name


def download(url: str, folder: Path, progress: Progress = lambda *_: None, pause: float = 1.0) -> Path:
    """Downloads a file into a folder, or goes on with it.

    Args:
        url: its address, http or https.
        folder: where it, or the part of it that is there, stands; made where it is missing.
        progress: is told how it goes.
        pause: seconds before the first further try; doubled at each.

    Returns:
        The file.

    Raises:
        UsageError: the address cannot be.
        LogError: it cannot be had; what has come so far is kept.
    """
    target = folder / name_of(url)
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    tries = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            complete = _once(url, part, progress)
            reason = "the connection was cut off"
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise LogError(
                    f"{url} cannot be downloaded (HTTP {error.code} {error.reason}): it may have moved; download it "
                    "by hand and give it by --from"
                ) from error
            complete, reason = False, f"HTTP {error.code}"
        except (http.client.HTTPException, OSError) as error:
            complete, reason = False, str(getattr(error, "reason", None) or error) or type(error).__name__
        if complete:
            os.replace(part, target)
            _memory(part).unlink(missing_ok=True)
            return target
        here = part.stat().st_size if part.exists() else 0
        tries = 1 if here > before else tries + 1  # what gets on may go on
        if tries >= _TRIES:
            raise LogError(
                f"{url} cannot be downloaded ({reason}); {here:,} bytes are kept in {part}: give the same command "
                "again to go on"
            )
        time.sleep(pause * 2 ** (tries - 1))


def _memory(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _once(url: str, part: Path, progress: Progress) -> bool:
    """Asks once for what is missing; returns whether all is there."""
    known = _known(url, part)
    start = part.stat().st_size if known is not None else 0
    headers = {"User-Agent": f"hred/{__version__}", "Accept-Encoding": "identity"}
    if known is not None:
        headers |= {"Range": f"bytes={start}-", "If-Range": known["validator"]}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=_TIMEOUT
        ) as response:
            return _take(url, response, part, start, progress)
    except urllib.error.HTTPError as error:
        if (
            error.code == 416 and known is not None
        ):  # nothing is left to ask for, or the file is another one now
            if known["total"] == start:
                return True
            part.unlink()
            return False
        raise


def _take(url: str, response: Any, part: Path, start: int, progress: Progress) -> bool:
    length = response.headers.get("Content-Length")
    goes_on = response.status == 206 and response.headers.get("Content-Range", "").startswith(
        f"bytes {start}-"
    )
    if response.status == 206 and not goes_on:  # a piece that was not asked for
        _memory(part).unlink(missing_ok=True)
        return False
    start = start if goes_on else 0
    total = start + int(length) if length is not None and length.isdecimal() else None
    etag = response.headers.get("ETag", "")
    validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
    _memory(part).write_text(
        json.dumps({"url": url, "validator": validator, "total": total}), encoding="utf-8"
    )
    done = start
    with part.open("r+b" if goes_on else "wb") as stream:
        stream.seek(start)
        stream.truncate()
        progress(done, total)
        while piece := response.read(_PIECE):
            stream.write(piece)
            done += len(piece)
            progress(done, total)
        stream.flush()
        os.fsync(stream.fileno())
    return total is None or done == total


def _known(url: str, part: Path) -> dict[str, Any] | None:
    """What is remembered of a part, if it can be gone on with: of this address, and told apart from later versions."""
    try:
        known: dict[str, Any] = json.loads(_memory(part).read_text(encoding="utf-8"))
        goes_on = (
            known["url"] == url and bool(known["validator"]) and part.stat().st_size > 0 and "total" in known
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return known if goes_on else None
