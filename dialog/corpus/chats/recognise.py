"""Which chat program a file is from, told by its first 256 KiB."""

import re
from collections.abc import Sequence

from dialog.corpus.chats.chatgpt import ChatGpt
from dialog.corpus.chats.discord import Discord
from dialog.corpus.chats.irc import find_irc, share_of_lines
from dialog.corpus.chats.line import find_line, is_day, is_title
from dialog.corpus.chats.mbox import Mbox, is_mbox
from dialog.corpus.chats.message import ChatReader
from dialog.corpus.chats.slack import Slack
from dialog.corpus.chats.telegram import Telegram
from dialog.corpus.chats.whatsapp import find_whatsapp, is_header
from dialog.corpus.records import LogFile

__all__ = ["CHATS", "find_chat", "find_reader"]

CHATS = ("whatsapp", "telegram", "discord", "slack", "line", "irc", "mbox", "chatgpt")
"""The words that `--format` takes for exports of chat programs."""

_TELEGRAM = re.compile(
    rb'"type"\s*:\s*"(?:personal_chat|bot_chat|saved_messages|(?:private|public)_(?:group|supergroup|channel))"'
)
_MESSAGES = re.compile(rb'"messages"\s*:\s*\[')
_DISCORD = re.compile(rb'"channel"\s*:\s*\{[^{}]{0,5000}\}')
_CHATGPT = re.compile(rb'"mapping"\s*:\s*\{')
_SLACK = re.compile(rb'"ts"\s*:\s*"\d{9,11}\.\d{6}"')
_LEAST_SHARE_OF_IRC = 0.8
_FIRST_LINES = 20


def find_chat(sample: bytes, lines: Sequence[str]) -> str | None:
    """Returns the word of the chat program, one of CHATS; None where it is none.

    Args:
        sample: the beginning of the file.
        lines: its lines.
    """
    if is_mbox(sample):
        return "mbox"
    if sample.lstrip()[:1] in (b"{", b"["):
        found = _json_chat(sample)
        if found is not None:
            return found
    spoken = [line for line in lines if line.strip()]
    if not spoken:
        return None
    if is_title(spoken[0]):
        return "line"
    # A first line without a date can be what is left of a message; a text that cites one message is no chat.
    if any(map(is_header, spoken[:_FIRST_LINES])) and (
        is_header(spoken[0]) or sum(map(is_header, spoken)) > 2
    ):
        return "whatsapp"
    if share_of_lines(spoken) >= _LEAST_SHARE_OF_IRC:
        return "irc"
    if is_day(spoken[0]) and any("\t" in line for line in spoken[1:3]):
        return "line"
    return None


def _json_chat(sample: bytes) -> str | None:
    if _CHATGPT.search(sample):
        return "chatgpt"
    if _TELEGRAM.search(sample) and _MESSAGES.search(sample):
        return "telegram"
    channel = _DISCORD.search(sample)
    if channel is not None and _MESSAGES.search(sample, channel.end()):
        return "discord"
    if sample.lstrip().startswith(b"[") and _SLACK.search(sample):
        return "slack"
    return None


def find_reader(name: str, file: LogFile, order: str | None) -> ChatReader:
    """Returns the reader of a format, with the layout of the file found out.

    Args:
        name: one of CHATS.
        file: the log.
        order: of the numbers of dates, one of `dates.ORDERS`, where it is known.
    """
    if name == "whatsapp":
        return find_whatsapp(file, order)
    if name == "line":
        return find_line(file, order)
    if name == "irc":
        return find_irc(file)
    readers: dict[str, ChatReader] = {
        "telegram": Telegram(),
        "discord": Discord(),
        "slack": Slack(),
        "mbox": Mbox(),
        "chatgpt": ChatGpt(),
    }
    return readers[name]
