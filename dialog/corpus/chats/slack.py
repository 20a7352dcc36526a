"""Slack's workspace export: a folder or a ZIP file with `users.json`, and in a folder a channel a file a day.

Replies carry `thread_ts`, the time of the message that began the thread: a thread is a conversation, its first message
included. Mentions are ids (`<@U123>`) and become names. One channel's file of a day can be given alone; names are then
those that its messages bring along.
"""

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import PurePosixPath
from typing import Self

from dialog.corpus.chats.message import Item, LeftOut, Message, Met, parse_json
from dialog.corpus.chats.values import as_text, dicts, get_dict, get_list, number
from dialog.corpus.records import Line, LogFile, RawRecord
from dialog.errors import LogError

__all__ = ["Slack", "is_slack_export"]

_SAID = {"", "bot_message", "file_share", "me_message", "thread_broadcast", "file_comment", "reply_broadcast"}
_LISTS = {"users", "channels", "groups", "dms", "mpims", "integration_logs", "canvases", "lists", "org_users"}
_REFERENCE = re.compile(r"<([@#!]?)([^<>|]{1,2000})(?:\|([^<>]{0,2000}))?>")


@dataclass(frozen=True, slots=True)
class Slack:
    """The format `slack`."""

    details: tuple[str, ...] = ()
    name: str = "slack"
    roles: bool = False

    def read(self, file: LogFile, lines: Iterator[Line]) -> Iterator[Item]:
        """Yields the messages of each channel in the order of their times."""
        place = 0
        with _Tree(file) as tree:
            users = _users(tree)
            for channel, paths in tree.channels().items():
                found: list[tuple[float, int, dict[str, object]]] = []
                for path in paths:
                    try:
                        value = parse_json(tree.read(path), path or file.shown)
                    except LogError as error:
                        if not channel:
                            raise
                        yield RawRecord(place, None, 0, str(error))
                        continue
                    for each in value if isinstance(value, list) else [value]:
                        place += 1
                        if isinstance(each, dict):
                            found.append((number(each.get("ts")) or 0.0, place, each))
                        else:
                            yield LeftOut("damaged message")
                for _, number_, each in sorted(found, key=lambda item: item[:2]):
                    yield from _items(each, number_, channel, users)

    def names(self, file: LogFile) -> Iterable[str]:
        """All names of the workspace's people."""
        with _Tree(file) as tree:
            for user in _user_list(tree):
                yield from _all_names(user)


def is_slack_export(file: LogFile) -> bool:
    """Whether a folder or a ZIP file has a user list and at least one channel."""
    try:
        with _Tree(file) as tree:
            return tree.has("users.json") and bool(tree.channels())
    except LogError:
        return False


class _Tree:
    """The files of an export: of a folder, of a ZIP file, or a single file; a context manager.

    Attributes:
        root: what the paths of the export's own folder begin with.
    """

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._zip: zipfile.ZipFile | None = None
        if file.path.is_dir():
            self._paths = [
                path.relative_to(file.path).as_posix() for path in file.path.rglob("*.json") if path.is_file()
            ]
        elif file.url is None and file.member is None and zipfile.is_zipfile(file.path):
            try:
                self._zip = zipfile.ZipFile(file.path)
            except (zipfile.BadZipFile, OSError, ValueError) as error:
                raise LogError(
                    f"{file.shown} is a damaged ZIP file ({error}): take a copy that is whole"
                ) from error
            self._paths = [name for name in self._zip.namelist() if name.endswith(".json")]
        else:
            self._paths = []
        roots = [path.removesuffix("users.json") for path in self._paths if _name(path) == "users.json"]
        self.root = min(roots, key=len, default="")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._zip is not None:
            self._zip.close()

    def has(self, name: str) -> bool:
        return self.root + name in self._paths

    def channels(self) -> dict[str, list[str]]:
        """The files of each channel, sorted; a single file is the channel with an empty name."""
        if not self._paths and not self._file.path.is_dir() and self._zip is None:
            return {"": [""]}
        found: dict[str, list[str]] = {}
        for path in sorted(self._paths):
            inner = path.removeprefix(self.root)
            if path.startswith(self.root) and "/" in inner and not inner.startswith("__MACOSX/"):
                found.setdefault(str(PurePosixPath(inner).parent), []).append(path)
        if not self.root and not self.has("users.json") and not found:
            return {"channel": sorted(path for path in self._paths if PurePosixPath(path).stem not in _LISTS)}
        return found

    def read(self, path: str) -> bytes:
        if self._zip is not None:
            try:
                return self._zip.read(path)
            except (
                zipfile.BadZipFile,
                zlib.error,
                OSError,
                RuntimeError,
                NotImplementedError,
                EOFError,
            ) as error:
                raise LogError(f"{path} in the ZIP file cannot be read ({error})") from error
        if not path:
            return self._file.content()
        try:
            return (self._file.path / path).read_bytes()
        except OSError as error:
            raise LogError(f"{path} cannot be read: {error.strerror}") from error


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _user_list(tree: _Tree) -> Iterator[dict[str, object]]:
    if tree.has("users.json"):
        value = parse_json(tree.read(f"{tree.root}users.json"), "users.json")
        yield from dicts(value if isinstance(value, list) else [])


def _users(tree: _Tree) -> dict[str, str]:
    """The shown name of each user id; two people of the same name are told apart by their ids."""
    found: dict[str, str] = {}
    for user in _user_list(tree):
        found[as_text(user.get("id"))] = next(iter(_all_names(user)), as_text(user.get("id")))
    often = Counter(found.values())
    return {id_: name if often[name] == 1 else f"{name} ({id_})" for id_, name in found.items()}


def _all_names(user: dict[str, object]) -> list[str]:
    profile = get_dict(user, "profile")
    names = (
        profile.get("display_name"),
        profile.get("real_name"),
        user.get("real_name"),
        user.get("name"),
    )
    return list(dict.fromkeys(text.strip() for text in map(as_text, names) if text.strip()))


def _items(value: dict[str, object], place: int, channel: str, users: dict[str, str]) -> Iterator[Item]:
    subtype = as_text(value.get("subtype"))
    if value.get("type", "message") != "message" or subtype not in _SAID:
        yield LeftOut("deleted message" if subtype == "tombstone" else "system line")
        return
    speaker = _speaker(value, users)
    if not speaker:
        yield LeftOut("damaged message")
        return
    if subtype == "bot_message" or "bot_id" in value:
        yield Met("message of a bot")
    ts = as_text(value.get("ts"))
    text = _text(as_text(value.get("text")), users)
    # An attachment beside a text is the preview of a link in it, or of a shared message.
    shows = bool(get_list(value, "files")) or "file" in value or (not text and "attachments" in value)
    thread = as_text(value.get("thread_ts")) or None
    yield Message(place, number(ts), speaker, text, channel, ts or None, thread=thread, media=shows)


def _speaker(value: dict[str, object], users: dict[str, str]) -> str:
    user = as_text(value.get("user"))
    if user in users:
        return users[user]
    named = [*_all_names({"profile": get_dict(value, "user_profile")}), as_text(value.get("username"))]
    named.append(as_text(get_dict(value, "bot_profile").get("name")))
    return next((name for name in named if name), "") or user or as_text(value.get("bot_id"))


def _text(text: str, users: dict[str, str]) -> str:
    def shown(found: re.Match[str]) -> str:
        sign, target, label = found[1], found[2], found[3]
        if sign == "@":
            return f"@{users.get(target) or label or target}"
        if sign:
            # Groups and dates bring what to show along; `!here` and `!channel` are words.
            return f"#{label or target}" if sign == "#" else label or f"@{target.partition('^')[0]}"
        target = target.removeprefix("mailto:").removeprefix("tel:")
        return target if not label or label == target or label in target else f"{label} {target}"

    return unescape(_REFERENCE.sub(shown, text)) if "<" in text or "&" in text else text
