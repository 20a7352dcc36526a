"""Laws of the readers of chat exports: what is written in a format is read back; nothing is lost uncounted.

A log is made of events (messages, pictures, system lines) at times; a writer for each format writes them as the
program does, and the conversations to expect are cut here, by silence, a second time.
"""

import json
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialog.corpus.formats import FORMATS, FormatOptions, find_format
from dialog.corpus.records import LogFile
from tests.dialog.corpus.chat_laws import read_anything

QUICK = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SILENCE = 60
START = datetime(2020, 12, 24, 8, 0, tzinfo=UTC)
PEOPLE = ("Anna Berg", "Tom", "花子")


class Event(NamedTuple):
    """What happens: `kind` is said, media or system; minutes are since the event before."""

    minutes: int
    kind: str
    speaker: str
    lines: tuple[str, ...]


def texts(alphabet: str, max_lines: int):
    """Texts as they come back: no space at the ends, no line that could be a message of its own."""
    line = st.text(alphabet, min_size=1, max_size=12).map(lambda text: " ".join(text.split())).filter(bool)
    return st.lists(line, min_size=1, max_size=max_lines).map(tuple)


def events(alphabet: str, max_lines: int, kinds=("said", "said", "said", "media", "system"), people=PEOPLE):
    """Histories of a chat; the first event is said."""
    each = st.builds(
        Event,
        st.sampled_from([0, 1, 59, 60, 61, 200, 1_500]),
        st.sampled_from(kinds),
        st.sampled_from(people),
        texts(alphabet, max_lines),
    )
    return st.lists(each, min_size=1, max_size=12).map(
        lambda all_: [all_[0]._replace(kind="said"), *all_[1:]]
    )


def with_times(history: list[Event]) -> list[tuple[datetime, Event]]:
    at = START
    return [(at := at + timedelta(minutes=event.minutes), event) for event in history]


def expected(
    history: list[Event], counts_in: tuple[str, ...] = ("said", "media")
) -> list[list[tuple[str, str]]]:
    """The conversations: a new one after silence; media keep a conversation going and are no turn."""
    conversations: list[list[tuple[str, str]]] = []
    last = None
    for at, event in with_times(history):
        if event.kind not in counts_in:
            continue
        if last is None or at - last > timedelta(minutes=SILENCE):
            conversations.append([])
        last = at
        if event.kind == "said":
            conversations[-1].append((event.speaker, "\n".join(event.lines)))
    return [each for each in conversations if each]


def read_back(path: Path, **options: object) -> tuple[list[list[tuple[str, str]]], Counter[str]]:
    file = LogFile(path, 1 << 20)
    found = find_format(file, FormatOptions(silence=float(SILENCE), **options))
    said: list[list[tuple[str, str]]] = []
    counts: Counter[str] = Counter()
    for record in found.records(file, file.lines()):
        assert record.error is None, record.error
        parsed = found.parse(record, "x")
        counts.update(parsed.counts)
        if parsed.conversation.turns:
            said.append([(turn.speaker, turn.text) for turn in parsed.conversation.turns])
    return said, counts


def check(path: Path, history: list[Event], **options: object) -> None:
    """The law: turns are equal, and every event is a turn or counted under its reason."""
    said, counts = read_back(path, **options)
    kinds = Counter(event.kind for event in history)
    assert said == expected(history)
    assert counts["messages_as_turns"] == kinds["said"]
    assert counts["messages_left_out/media without text"] == kinds["media"]
    assert counts["messages_left_out/system line"] == kinds["system"]
    assert counts["messages_read"] == len(history)


# --- text formats

WORDS = "ab c:-\"'>#.,é太郎😀"


def clock(at: datetime, layout: str) -> str:
    hour, half = at.hour % 12 or 12, "PM" if at.hour >= 12 else "AM"
    return {
        "mdy": f"{at.month}/{at.day}/{at:%y}, {hour}:{at:%M}\u202f{half} - ",
        "dmy": f"{at:%d.%m.%y, %H:%M} - ",
        "ymd": f"{at:%Y/%m/%d %H:%M} - ",
        "ios": f"[{at:%d.%m.%y, %H:%M:%S}] ",
        "ios12": f"\u200e[{at:%Y-%m-%d}, {hour}:{at:%M:%S} {half.lower()[0]}.m.] ",
    }[layout]


@pytest.mark.parametrize("layout", ["mdy", "dmy", "ymd", "ios", "ios12"])
@QUICK
@given(data=st.data())
def test_whatsapp_is_read_back(tmp_path, layout, data) -> None:
    history = data.draw(events(WORDS, max_lines=3))
    is_ios = layout.startswith("ios")
    text = ""
    for at, event in with_times(history):
        said = "\n".join(event.lines)
        if event.kind == "media":
            said = "\u200eimage omitted" if is_ios else "<Media omitted>"
        if event.kind == "system":
            said = "\u200eYour security code changed."
        name = "" if event.kind == "system" and not is_ios else f"{event.speaker}: "
        text += f"{clock(at, layout)}{name}{said}\n"
    path = tmp_path / "chat.txt"
    path.write_text(text, encoding="utf-8", newline="")
    check(path, history, dates="ymd" if layout in ("ymd", "ios12") else layout if layout == "mdy" else "dmy")
    assert find_format(LogFile(path, 1 << 20), FormatOptions()).name == "whatsapp"


@pytest.mark.parametrize("layout", ["ja", "en"])
@QUICK
@given(data=st.data())
def test_line_is_read_back(tmp_path, layout, data) -> None:
    history = data.draw(events(WORDS, max_lines=3))
    title = "[LINE] Tomとのトーク履歴\n保存日時：2021/01/02 10:00\n"
    text = title if layout == "ja" else "[LINE] Chat history with Tom\nSaved on: 1/2/2021, 10:00\n"
    day = None
    for at, event in with_times(history):
        if at.date() != day:
            day = at.date()
            text += f"\n{at:%Y/%m/%d}(木)\n" if layout == "ja" else f"\n{at:%a, %m/%d/%Y}\n"
        said = "\n".join(event.lines)
        if len(event.lines) > 1:
            said = '"' + said.replace('"', '""') + '"'
        sign = {"media": "[スタンプ]" if layout == "ja" else "[Sticker]", "system": ""}.get(event.kind, said)
        name = "" if event.kind == "system" else event.speaker
        time = (
            f"{at:%H:%M}"
            if layout == "ja"
            else f"{at.hour % 12 or 12}:{at:%M} {'PM' if at.hour >= 12 else 'AM'}"
        )
        text += f"{time}\t{name}\t{sign or 'Tom joined.'}\n"
    path = tmp_path / "talk.txt"
    path.write_text(text, encoding="utf-8", newline="")
    check(path, history, dates="ymd" if layout == "ja" else "mdy")


IRC_LINES: dict[str, tuple[str, str, str]] = {
    "irssi": ("%H:%M", " <@{0}> {1}", " -!- {0} [a@b] has joined #x"),
    "weechat": ("%Y-%m-%d %H:%M:%S", "\t@{0}\t{1}", "\t-->\t{0} (a@b) has joined #x"),
    "znc": ("[%H:%M:%S]", " <{0}> {1}", " *** Joins: {0} (a@b)"),
    "hexchat": ("%b %d %H:%M:%S", " <{0}>\t{1}", " *\t{0} (a@b) has joined"),
    "iso": ("%Y-%m-%dT%H:%M:%S", "  <{0}> {1}", "  *** Joins: {0} (a@b)"),
}


@pytest.mark.parametrize("layout", IRC_LINES)
@QUICK
@given(data=st.data())
def test_irc_is_read_back(tmp_path, layout, data) -> None:
    history = data.draw(events(WORDS, 1, ("said", "said", "system"), people=("ann", "Tom|away", "[x]")))
    if layout == "znc":  # without a day in the lines, the clock must go back for one to have passed
        history = [event._replace(minutes=min(event.minutes, 200)) for event in history]
    stamp, said, joined = IRC_LINES[layout]
    text, num_days, day = "", 0, None
    for at, event in with_times(history):
        if at.date() != day and layout in ("irssi", "hexchat"):
            begin = "--- Day changed" if layout == "irssi" else "**** BEGIN LOGGING AT"
            text += f"{begin} {at:%a %b %d} {'00:00:00 ' if layout == 'hexchat' else ''}{at:%Y}\n"
            num_days += 1
        day = at.date()
        line = (
            said.format(event.speaker, *event.lines) if event.kind == "said" else joined.format(event.speaker)
        )
        text += f"{at.strftime(stamp)}{line}\n"
    path = tmp_path / "x_20201224.log"
    path.write_text(text, encoding="utf-8", newline="")
    said_back, counts = read_back(path, name="irc")
    assert said_back == expected(history, ("said",))
    assert counts["messages_left_out/system line"] == num_days + sum(
        event.kind == "system" for event in history
    )
    assert counts["messages_read"] == len(text.splitlines())


# --- JSON, mail


def any_texts():
    return events("".join(map(chr, range(33, 127))) + WORDS, 2)


@QUICK
@given(history=any_texts())
def test_telegram_is_read_back(tmp_path, history) -> None:
    messages = []
    for number, (at, event) in enumerate(with_times(history)):
        first, *rest = "\n".join(event.lines)
        text = [{"type": "bold", "text": first}, "".join(rest)] if number % 2 else "\n".join(event.lines)
        message = {
            "id": number,
            "type": "message",
            "date": f"{at:%Y-%m-%dT%H:%M:%S}",
            "from": event.speaker,
            "text": text,
        }
        if event.kind == "media":
            message |= {"text": "", "media_type": "sticker"}
        if event.kind == "system":
            message |= {"type": "service"}
        messages.append(message)
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"name": "x", "type": "private_group", "id": 1, "messages": messages}))
    check(path, history)


@QUICK
@given(history=any_texts())
def test_discord_is_read_back(tmp_path, history) -> None:
    history = [
        event._replace(lines=tuple(line.replace("<", "") or "x" for line in event.lines)) for event in history
    ]
    messages = [
        {
            "id": str(number),
            "type": {"system": "ChannelPinnedMessage"}.get(event.kind, "Default"),
            "timestamp": at.isoformat(),
            "content": "" if event.kind == "media" else "\n".join(event.lines),
            "author": {"id": event.speaker, "name": "other", "nickname": event.speaker},
            "attachments": [{"id": "1"}] if event.kind == "media" else [],
        }
        for number, (at, event) in enumerate(with_times(history))
    ]
    path = tmp_path / "channel.json"
    path.write_text(
        json.dumps({"guild": {"id": "1"}, "channel": {"id": "1", "name": "x"}, "messages": messages})
    )
    check(path, history)


@QUICK
@given(history=any_texts())
def test_slack_is_read_back(tmp_path, history) -> None:
    days: dict[str, list[dict[str, object]]] = {}
    for at, event in with_times(history):
        text = "\n".join(event.lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        message = {
            "type": "message",
            "user": f"U{PEOPLE.index(event.speaker)}",
            "text": "" if event.kind == "media" else text,
            "ts": f"{int(at.timestamp())}.000100",
        }
        message |= {"files": [{"id": "F"}]} if event.kind == "media" else {}
        message |= {"subtype": "channel_topic"} if event.kind == "system" else {}
        days.setdefault(f"talk/{at:%Y-%m-%d}.json", []).append(message)
    users = [{"id": f"U{place}", "real_name": name} for place, name in enumerate(PEOPLE)]
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("users.json", json.dumps(users))
        for name, messages in days.items():
            archive.writestr(name, json.dumps(messages))
    check(path, history)


@QUICK
@given(history=events("ab c'.,é太郎😀", 3, ("said",)))
def test_mail_is_read_back_thread_by_thread(tmp_path, history) -> None:
    """Every third mail begins a thread; the others answer the mail before, and quote it."""
    path = tmp_path / "mail.mbox"
    threads: list[list[tuple[str, str]]] = []
    data = b""
    for number, (at, event) in enumerate(with_times(history)):
        mail = EmailMessage()
        mail["From"] = f"{event.speaker} <x@example.org>"
        mail["Message-ID"] = f"<{number}@example.org>"
        mail["Date"] = at.strftime("%a, %d %b %Y %H:%M:%S +0000")
        text = "\n".join(event.lines)
        if number % 3:
            mail["In-Reply-To"] = f"<{number - 1}@example.org>"
            quoted = f"On Thu, 24 Dec 2020 at 08:00, X <x@example.org> wrote:\n\n> before\n> {number}\n\n"
            mail.set_content(quoted + text + "\n\n-- \nX\n")
        else:
            threads.append([])
            mail.set_content(text)
        threads[-1].append((event.speaker, text))
        data += b"From x@example.org Thu Dec 24 08:00:00 2020\n" + mail.as_bytes() + b"\n"
    path.write_bytes(data)
    said, counts = read_back(path)
    assert said == threads
    assert counts["messages_read"] == len(history)


@QUICK
@given(history=events(WORDS, 2, ("said",), people=("user", "assistant")), branches=st.integers(0, 3))
def test_chatgpt_is_read_back(tmp_path, history, branches) -> None:
    mapping: dict[str, object] = {"root": {"id": "root", "message": None, "parent": None, "children": []}}
    parent = "root"
    for number, event in enumerate(history):
        content = {"content_type": "text", "parts": ["\n".join(event.lines)]}
        message = {"author": {"role": event.speaker}, "content": content}
        for other in range(branches):
            mapping[f"{number}-{other}"] = {"message": message, "parent": parent, "children": []}
        mapping[str(number)] = {"message": message, "parent": parent, "children": []}
        parent = str(number)
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([{"title": "x", "mapping": mapping, "current_node": parent}]))
    said, counts = read_back(path)
    assert said == [[(event.speaker, "\n".join(event.lines)) for event in history]]
    assert counts["messages_left_out/message on another branch"] == branches * len(history)


# --- anything at all


FRAGMENTS = st.sampled_from(
    '12/31/20, 11:59\u202fPM - |[31.12.20, 23:59:59] |\u200e|Anna: |Tom|\n|\n\n|\t|<|>|"|[LINE] |2020/12/31(木)\n|'
    "23:59\t|午後11:59\t|12:01 <@ann> |[12:01] | * ann |-!- |--- Day changed |Fri Jan 01 2021|From a@b Thu Dec 31 "
    "12:00:00 2020\n|From: A <a@b>\n|Subject: Re: x\n|Date: 31 Dec\n|--b\n|"
    "Content-Type: multipart/mixed; boundary=b\n\n|"
    'Content-Type: text/html; charset=x\n\n|<p a="|<blockquote>|<!--|=?utf-8?q?=e9?=|<Media omitted>|+49 170 1234567|'
    "@|a@b.cd|https://|99/99/99, 99:99 - |太郎|\x00|\ufeff|:|-- \n|> ".split("|")
)


@pytest.mark.parametrize("name", [None, *FORMATS])
@settings(QUICK, max_examples=40)
@given(pieces=st.lists(FRAGMENTS, max_size=30), mask=st.booleans())
def test_any_text_is_read_or_told(tmp_path, name, pieces, mask) -> None:
    path = tmp_path / "log"
    path.write_bytes("".join(pieces).encode())
    read_anything(path, name, mask)


KEYS = (
    "messages id type date date_unixtime from from_id text reply_to_message_id chats list name guild channel content "
    "author nickname mentions timestamp reference messageId attachments mapping message parent children "
    "current_node role parts content_type recipient weight ts thread_ts user files subtype user_profile metadata photo"
).split()
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(
        ["", "a", "message", "user", "text", "1600000000.000100", "2020-01-01T00:00:00", "9" * 400, "\ud800"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=25,
)


@pytest.mark.parametrize("name", ["telegram", "discord", "slack", "chatgpt"])
@settings(QUICK, max_examples=60)
@given(value=JSON, is_wrapped=st.booleans(), mask=st.booleans())
def test_any_json_is_read_or_told(tmp_path, name, value, is_wrapped, mask) -> None:
    wrapped = {"messages": [value], "chats": value, "mapping": {"a": value}} if is_wrapped else value
    path = tmp_path / "x.json"
    path.write_text(json.dumps([wrapped] if name in ("chatgpt", "slack") else wrapped))
    read_anything(path, name, mask)


PIECES = ' |<|a@|-|:|12/|"|[|1|(1|@|www.|a |\u200e|1.|<!--|<a "|&|>|_'.split("|")


@pytest.mark.parametrize("name", ["whatsapp", "line", "irc", "mbox"])
def test_time_follows_the_length(tmp_path, name) -> None:
    """Lines of 50,000 characters that would take minutes where time followed their square."""
    begin = {
        "whatsapp": "31/12/2020, 10:00 - Anna: ",
        "line": "2020/12/31(木)\n10:00\tAnna\t",
        "irc": "[10:00] <ann> ",
        "mbox": "From a@b Thu Dec 31 10:00:00 2020\nFrom: Anna <a@b>\nContent-Type: text/html\n\n",
    }[name]
    path = tmp_path / "log"
    for piece in PIECES:
        long = piece * (50_000 // len(piece))
        for text in (begin + long, long, f"{begin}x\n{long}"):
            path.write_text(text)
            file = LogFile(path, 1 << 20)
            found = find_format(file, FormatOptions(name=name, mask=True))
            assert (found is None) == (not text.strip())
            if found is not None:
                (record,) = found.records(file, file.lines())
                assert found.parse(record, "x").counts["messages_read"] >= 1
