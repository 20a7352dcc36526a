"""Exports of chat programs: what each reader makes of small pieces in the layouts that the programs write."""

import io
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from dialog.corpus.formats import FormatOptions, find_format
from dialog.corpus.records import LogFile
from dialog.corpus.sources import find_sources
from dialog.errors import LogError, LogFormatError, UsageError


class Read(NamedTuple):
    """What was read of a log: speaker and text of each conversation's turns, counts, the format and its details."""

    said: list[list[tuple[str, str]]]
    counts: Counter[str]
    name: str
    details: tuple[str, ...]

    def left_out(self) -> dict[str, int]:
        prefix = "messages_left_out/"
        return {key.removeprefix(prefix): n for key, n in self.counts.items() if key.startswith(prefix)}


def read_chat(path: Path, content: str | bytes | None = None, **options) -> Read:
    """Writes a log, if it is given, and reads it; the sum of its messages must be right."""
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
        )
    file = LogFile(path, 1 << 20)
    found = find_format(file, FormatOptions(**options))
    said, counts = [], Counter()
    for record in found.records(file, file.lines()):
        assert record.error is None, record.error
        parsed = found.parse(record, f"{file.name}:{record.line}")
        counts.update(parsed.counts)
        if parsed.conversation.turns:
            said.append([(turn.speaker, turn.text) for turn in parsed.conversation.turns])
    read = Read(said, counts, found.name, found.details)
    assert counts["messages_as_turns"] == sum(map(len, said))
    assert counts["messages_read"] == counts["messages_as_turns"] + sum(read.left_out().values())
    return read


HELLO = [[("Anna", "hello, Tom"), ("Tom", "hi: how\nare you?")]]

WHATSAPP = {
    "Android, month first": "12/31/20, 11:58\u202fPM - {0}12/31/20, 11:59\u202fPM - {1}",
    "Android, day first": "31/12/2020, 23:58 - {0}31/12/2020, 23:59 - {1}",
    "Android, dots": "31.12.20, 23:58 - {0}31.12.20, 23:59 - {1}",
    "Android, dots in the time": "31/12/20 23.58 - {0}31/12/20 23.59 - {1}",
    "Android, year first": "2020/12/31 23:58 - {0}2020/12/31 23:59 - {1}",
    "Android, a.m.": "2020-12-31, 11:58 p.m. - {0}2020-12-31, 11:59 p.m. - {1}",
    "Android, Spanish": "31/12/20, 11:58\xa0p.\xa0m. - {0}31/12/20, 11:59\xa0p.\xa0m. - {1}",
    "Android, Chinese": "2020/12/31 下午11:58 - {0}2020/12/31 下午11:59 - {1}",
    "iOS": "[31.12.20, 23:58:01] {0}[31.12.20, 23:59:59] {1}",
    "iOS, 12 hours": "[12/31/20, 11:58:01\u202fPM] {0}\u200e[12/31/20, 11:59:59\u202fPM] {1}",
    "iOS, no comma": "[31/12/2020 23:58:01] {0}[31/12/2020 23:59:59] {1}",
    "iOS, marks": "\u200f[31\u200f/12\u200f/2020, 23:58:01] {0}[31\u200f/12\u200f/2020, 23:59:59] {1}",
}


@pytest.mark.parametrize("layout", WHATSAPP)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_whatsapp_in_every_layout(tmp_path, layout, end) -> None:
    text = WHATSAPP[layout].format("Anna: hello, Tom\n", "~\u202fTom: hi: how\nare you?\n").replace("\n", end)
    read = read_chat(tmp_path / "chat.txt", text)
    assert (read.said, read.name, read.left_out()) == (HELLO, "whatsapp", {})
    assert layout.split(",")[0] in read.details
    half = any(sign in text for sign in ("PM", "p.", "下午"))
    assert ("12-hour clock" if half else "24-hour clock") in read.details
    order = "year" if "2020/" in text or "2020-" in text else "month" if "12/31" in text else "day"
    assert f"dates: {order} first" in read.details


def test_whatsapp_what_is_not_said(tmp_path) -> None:
    text = (
        "what is left of an older message\n"
        "31/12/2020, 10:00 - Messages and calls are end-to-end encrypted.\n"
        '31/12/2020, 10:00 - Anna changed the subject to "to do: all"\n'
        "31/12/2020, 10:01 - Anna: <Media omitted>\n"
        "31/12/2020, 10:01 - Tom: <Medien ausgeschlossen>\n"
        "31/12/2020, 10:02 - Anna: IMG-20201231-WA0001.jpg (file attached)\n"
        "look at that\n"
        "31/12/2020, 10:03 - Tom: nice <This message was edited>\n"
        "31/12/2020, 10:03 - Tom: This message was deleted\n"
        "31/12/2020, 10:04 - Anna: I say <3 and a > b\n"
    )
    read = read_chat(tmp_path / "chat.txt", text)
    assert read.said == [[("Anna", "look at that"), ("Tom", "nice"), ("Anna", "I say <3 and a > b")]]
    assert read.left_out() == {
        "line before the first message": 1,
        "system line": 2,
        "media without text": 2,
        "deleted message": 1,
    }
    assert read.counts["met/edit mark of WhatsApp taken off"] == 1
    masked = read_chat(tmp_path / "chat.txt", text, mask=True)
    assert [text for _, text in masked.said[0]][:3] == ["<media>", "<media>", "look at that <media>"]


def test_whatsapp_of_ios_marks_what_the_program_says(tmp_path) -> None:
    text = (
        "[31.12.20, 10:00:00] The group: \u200eMessages are encrypted.\n"
        "[31.12.20, 10:00:01] Anna: \u200eBild weggelassen\n"
        "\u200e[31.12.20, 10:00:02] Tom: \u200e<attached: 00000001-PHOTO-2020-12-31.jpg>\n"
        "[31.12.20, 10:00:03] Anna: ask @\u2068Tom\u2069\n"
        "[31.12.20, 10:00:04] Tom: \u200eYou deleted this message.\n"
        "[31.12.20, 10:00:05] Tom:\n"
    )
    read = read_chat(tmp_path / "_chat.txt", text)
    assert read.said == [[("Anna", "ask @Tom"), ("Tom", "")]]
    assert read.left_out() == {"system line": 1, "media without text": 2, "deleted message": 1}


@pytest.mark.parametrize(
    ("days", "order", "is_sure"),
    [
        (["01/02/20", "13/02/20"], "day", True),
        (["01/02/20", "02/13/20"], "month", True),
        (["01/02/20", "02/02/20", "03/02/20", "01/03/20"], "day", True),  # the other order goes back in time
        (["01/02/20", "02/02/20", "03/02/20"], "day", False),  # three days, or three months: the shorter span
        (["01/02/20", "01/03/20", "01/04/20"], "month", False),
    ],
)
def test_the_order_of_dates_comes_from_the_file(tmp_path, days, order, is_sure) -> None:
    text = "".join(f"{day}, 10:00 - Anna: hello\n" for day in days)
    (said,) = (each for each in read_chat(tmp_path / "chat.txt", text).details if each.startswith("dates"))
    assert said.startswith(f"dates: {order} first")
    assert ("--dates" not in said) == is_sure
    given = read_chat(tmp_path / "chat.txt", text, dates="mdy").details
    assert "dates: month first" in given


LINE = {
    "ja": "[LINE] Tomとのトーク履歴\n保存日時：2021/01/02 10:00\n\n2020/12/31(木)\n23:58\tAnna\t{0}\n23:59\tTom\t{1}\n",
    "en": "[LINE] Chat history with Tom\nSaved on: 1/2/2021, 10:00\n\nThu, 12/31/2020\n"
    "11:58 PM\tAnna\t{0}\n11:59 PM\tTom\t{1}\n",
    "ja, 12 hours": "[LINE] Tomとのトーク履歴\n\n2020年12月31日 木曜日\n午後11:58\tAnna\t{0}\n午後11:59\tTom\t{1}\n",
    "computer": "[LINE] Chat history with Tom\n\n2020.12.31 Thursday\n23:58 Anna {0}\n23:59 Tom {1}\n",
    "no title": "2020/12/31(木)\n23:58\tAnna\t{0}\n23:59\tTom\t{1}\n",
}


@pytest.mark.parametrize("layout", LINE)
def test_line_in_every_layout(tmp_path, layout) -> None:
    read = read_chat(tmp_path / "talk.txt", LINE[layout].format("hello, Tom", '"hi: how\nare you?"'))
    assert (read.said, read.name, read.left_out()) == (HELLO, "line", {})


def test_line_what_is_not_said_and_quotes(tmp_path) -> None:
    text = (
        "[LINE] 花子とのトーク履歴\n保存日時：2021/01/02 10:00\n\n2020/12/31(木)\n"
        "10:00\t太郎\t[スタンプ]\n10:01\t\t花子が参加しました。\n10:02\t花子がメッセージの送信を取り消しました\n"
        '10:03\t花子\t"一行目\n\n三行目は""引用""です"\n10:04\t太郎\t☎ 通話時間 1:23\n10:05\t太郎\t"開いたまま\n'
        "10:06\t花子\tはい\n\n2021/01/01(金)\n0:30\t太郎\tおめでとう\n"
    )
    read = read_chat(tmp_path / "talk.txt", text)
    assert read.said == [
        [("花子", '一行目\n\n三行目は"引用"です'), ("太郎", '"開いたまま'), ("花子", "はい")],
        [("太郎", "おめでとう")],
    ]
    assert read.left_out() == {"media without text": 1, "system line": 1, "deleted message": 1, "call": 1}


IRC = {
    "irssi": "--- Log opened Thu Dec 31 12:00:00 2020\n12:00 -!- ann [a@host] has joined #talk\n12:01 <@ann> hello\n"
    "12:02 < bob> hi <ann>\n12:02  * ann waves\n--- Day changed Fri Jan 01 2021\n12:03 < bob> new year\n",
    "weechat": "2020-12-31 12:00:00\t-->\tann (a@host) has joined #talk\n2020-12-31 12:01:00\t@ann\thello\n"
    "2020-12-31 12:02:00\tbob\thi <ann>\n2020-12-31 12:02:30\t *\tann waves\n2020-12-31 12:02:40\t--\tmode\n"
    "2021-01-01 12:03:00\t\ta line of the server\n2021-01-01 12:03:00\tbob\tnew year\n",
    "znc": "[12:00:00] *** Joins: ann (a@host)\n[12:01:00] <ann> hello\n[12:02:00] <bob> hi <ann>\n"
    "[12:02:01] * ann waves\n[12:02:02] *** ann sets mode: +o bob\n[00:03:00] <bob> new year\n",
    "hexchat": "**** BEGIN LOGGING AT Thu Dec 31 12:00:00 2020\n\nDec 31 12:00:00 *\tNow talking on #talk\n"
    "Dec 31 12:01:00 <ann>\thello\nDec 31 12:02:00 <bob>\thi <ann>\nDec 31 12:02:01 *\tann waves\n"
    "**** ENDING LOGGING AT Thu Dec 31 12:05:00 2020\n\n**** BEGIN LOGGING AT Fri Jan  1 12:00:00 2021\n\n"
    "Jan 01 12:03:00 <bob>\tnew year\n",
    "mirc": "Session Start: Thu Dec 31 12:00:00 2020\n[12:00] * ann (a@host) has joined #talk\n[12:01] <ann> hello\n"
    "[12:02] <+bob> \x0304hi\x0f <ann>\n[12:02] * ann waves\nSession Start: Fri Jan 01 12:00:00 2021\n"
    "[12:03] <bob> new year\n",
    "ubuntu": "=== ann [a@host] has joined #talk\n[12:01] <ann> hello\n[12:02] <bob> hi <ann>\n[12:02] * ann waves\n"
    "=== bob is now known as rob\n[00:03] <bob> new year\n",
}


@pytest.mark.parametrize("layout", IRC)
def test_irc_in_the_layouts_of_clients(tmp_path, layout) -> None:
    read = read_chat(tmp_path / "#talk.log", IRC[layout])
    assert read.said == [[("ann", "hello"), ("bob", "hi <ann>"), ("ann", "waves")], [("bob", "new year")]]
    num_lines = sum(1 for line in IRC[layout].split("\n") if line.strip())
    assert read.name == "irc"
    assert read.left_out() == {"system line": num_lines - 4}


def test_irc_without_utf8_and_in_no_layout(tmp_path) -> None:
    text = "[12:01] <ann> caf\xe9\n[12:02] <bob> yes\n[12:03] <ann> so\n[12:04] <ann> it is\nwhat is this\n"
    read = read_chat(tmp_path / "2020-12-31.log", text.encode("latin-1"))
    assert read.said == [[("ann", "café"), ("bob", "yes"), ("ann", "so"), ("ann", "it is")]]
    assert read.left_out() == {"line in no known layout": 1}
    assert read.counts["met/line of IRC that is no UTF-8: read as Windows-1252"] == 1
    assert read.details == ("day of the file's name: 2020-12-31",)


def telegram(
    number: int, speaker: str | None, text: object, minutes: int, **more: object
) -> dict[str, object]:
    seconds = 1_600_000_000 + 60 * minutes
    return {
        "id": number,
        "type": "message",
        "date_unixtime": str(seconds),
        "from": speaker,
        "text": text,
        **more,
    }


def test_telegram(tmp_path) -> None:
    chat = {
        "name": "Tom",
        "type": "personal_chat",
        "id": 1,
        "messages": [
            {"id": 1, "type": "service", "date": "2020-09-13T12:26:40", "action": "phone_call"},
            telegram(2, "Anna", "hello, Tom", 0),
            telegram(
                3, "Tom", ["hi: ", {"type": "bold", "text": "how"}, "\nare you?"], 1, reply_to_message_id=2
            ),
            telegram(4, None, "gone", 2, from_id="user9"),
            telegram(5, "Tom", "", 3, photo="photos/1.jpg"),
            telegram(6, "Anna", "a new day", 300),
            telegram(7, "Tom", "about the other day", 301, reply_to_message_id=3),
            telegram(8, "Anna", "yes?", 302),
            "damaged",
            {"id": 9, "type": "odd"},
        ],
    }
    first = [*HELLO[0], ("user9", "gone"), ("Tom", "about the other day")]
    expected = [first, [("Anna", "a new day"), ("Anna", "yes?")]]
    read = read_chat(tmp_path / "result.json", json.dumps(chat, indent=1))
    assert (read.said, read.name) == (expected, "telegram")
    assert read.left_out() == {
        "system line": 1,
        "media without text": 1,
        "damaged message": 1,
        "message of an unknown type": 1,
    }
    account = {
        "about": "…",
        "chats": {"list": [chat, {**chat, "type": "private_group"}]},
        "left_chats": {"list": []},
    }
    assert read_chat(tmp_path / "all.json", json.dumps(account)).said == expected * 2


def discord(number: int, speaker: str, text: str, minutes: int, **more: object) -> dict[str, object]:
    time = f"2020-09-13T{12 + minutes // 60:02}:{minutes % 60:02}:00.123+00:00"
    author = {"id": speaker, "name": f"{speaker.lower()}_1", "nickname": speaker, "isBot": False}
    return {
        "id": str(number),
        "type": "Default",
        "timestamp": time,
        "content": text,
        "author": author,
        **more,
    }


def test_discord(tmp_path) -> None:
    messages = [
        discord(1, "Anna", "hello, <@!5>", 0, mentions=[{"id": "5", "name": "tom_1", "nickname": "Tom"}]),
        discord(
            2, "Tom", "hi: how\nare you?", 1, type="Reply", reference={"messageId": "1", "channelId": "7"}
        ),
        discord(3, "Tom", "", 1, type="GuildMemberJoin"),
        discord(4, "Tom", "", 2, attachments=[{"id": "1", "fileName": "x.png"}]),
        discord(5, "Anna", "good evening <:wave:12345>", 300),
        discord(6, "Tom", "fine, by the way", 301, type="Reply", reference={"messageId": "1"}),
        {"id": "7", "type": "Default", "content": "nobody", "author": {}},
    ]
    export = {
        "guild": {"id": "1", "name": "G"},
        "channel": {"id": "7", "type": "GuildTextChat"},
        "messages": messages,
    }
    read = read_chat(tmp_path / "channel.json", json.dumps(export, indent=2))
    assert read.name == "discord"
    assert read.said == [
        [("Anna", "hello, @Tom"), ("Tom", "hi: how\nare you?"), ("Tom", "fine, by the way")],
        [("Anna", "good evening :wave:")],
    ]
    assert read.left_out() == {"system line": 1, "media without text": 1, "damaged message": 1}


USERS = [
    {"id": "U1", "name": "anna", "profile": {"display_name": "Anna", "real_name": "Anna Berg"}},
    {"id": "U2", "name": "tom", "real_name": "Tom", "profile": {"display_name": ""}},
    {"id": "U3", "name": "tom2", "real_name": "Tom", "profile": {}},
]


def slack(user: str, text: str, time: str, **more: object) -> dict[str, object]:
    return {"type": "message", "user": user, "text": text, "ts": f"{time}.000100", **more}


FIRST_DAY = [
    slack("U1", "<@U1> has joined", "1600000000", subtype="channel_join"),
    slack("U1", "hello, <@U2> &amp; all", "1600000060"),
    slack("U2", "see <https://example.org/a|this page> in <#C1|talk>", "1600000120"),
    slack("U1", "Who has a question?", "1600000180", thread_ts="1600000180.000100"),
    slack("U2", "thanks", "1600000240"),
    slack("U1", "", "1600000300", files=[{"id": "F1"}]),
]
NEXT_DAY = [slack("U3", "I have", "1600090000", thread_ts="1600000180.000100")]
SLACK_SAID = [
    [
        ("Anna", "hello, @Tom (U2) & all"),
        ("Tom (U2)", "see this page https://example.org/a in #talk"),
        ("Tom (U2)", "thanks"),
    ],
    [("Anna", "Who has a question?"), ("Tom (U3)", "I have")],
]


def slack_files(root: str = "") -> dict[str, str]:
    days = {"talk/2020-09-13.json": FIRST_DAY, "talk/2020-09-14.json": NEXT_DAY}
    files = {"users.json": USERS, "channels.json": [], **days}
    return {root + name: json.dumps(value) for name, value in files.items()}


def zip_of(files: dict[str, str | bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["folder", "zip", "zip with a folder"])
def test_slack(tmp_path, kind) -> None:
    path = tmp_path / ("export" if kind == "folder" else "export.zip")
    if kind == "folder":
        for name, content in slack_files().items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(content)
        read = read_chat(path)
    else:
        read = read_chat(path, zip_of(slack_files("My Team/" if kind != "zip" else "")))
    assert (read.said, read.name) == (SLACK_SAID, "slack")
    assert read.left_out() == {"system line": 1, "media without text": 1}
    (source,) = find_sources([path], {}, FormatOptions(), "auto", 1 << 20).files
    assert source.log_format.name == "slack"


def test_slack_one_day_alone_and_a_damaged_one(tmp_path) -> None:
    read = read_chat(tmp_path / "2020-09-13.json", json.dumps(FIRST_DAY))
    assert read.said[0][0] == ("U1", "hello, @U2 & all")
    files = {**slack_files(), "talk/2020-09-15.json": "[{"}
    path = tmp_path / "export.zip"
    path.write_bytes(zip_of(files))
    file = LogFile(path, 1 << 20)
    bad = [record for record in find_format(file, FormatOptions()).records(file, iter(())) if record.error]
    assert [record.error.split(" is no JSON")[0] for record in bad] == ["talk/2020-09-15.json"]


MBOX = """From anna@example.org Thu Dec 31 12:00:00 2020
From: Anna Berg <anna@example.org>
To: tom@example.org
Subject: Tonight
Date: Thu, 31 Dec 2020 12:00:00 +0100
Message-ID: <1@example.org>
Content-Type: text/plain; charset=utf-8

Will you come tonight?
>From eight on?
--\x20
Anna Berg, Example Ltd.

From tom@example.org Thu Dec 31 13:00:00 2020
From: =?utf-8?q?Tom_M=C3=BCller?= <tom@example.org>
Subject: Re: Tonight
Date: Thu, 31 Dec 2020 13:00:00 +0100
Message-ID: <2@example.org>
In-Reply-To: <1@example.org>
Content-Type: multipart/alternative; boundary="b"

--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gern, sch=F6n!

On Thu, 31 Dec 2020 at 12:00, Anna Berg <anna@example.org>
wrote:

> Will you come tonight?
--b
Content-Type: text/html

<p>Gern</p>
--b--

From anna@example.org Thu Dec 31 14:00:00 2020
From: anna@example.org
Subject: Something else
Date: Thu, 31 Dec 2020 14:00:00 +0100
Message-ID: <3@example.org>
Content-Type: text/html; charset=utf-8

<html><head><style>p {color: red}</style></head><body><!-- no --><p>One &amp; two</p>
<blockquote>cited</blockquote><a title="a>b" href="https://example.org">three</a></body></html>

From tom@example.org Thu Dec 31 15:00:00 2020
From: Tom <tom@example.org>
Subject: Re: Something else
Date: Thu, 31 Dec 2020 15:00:00 +0100
Message-ID: <4@example.org>

Fine.

-----Original Message-----
From: anna@example.org
Sent: Thursday

From nobody Thu Dec 31 16:00:00 2020
Subject: no sender

text
"""


def test_mbox(tmp_path) -> None:
    read = read_chat(tmp_path / "mail.mbox", MBOX)
    assert read.name == "mbox"
    assert read.said == [
        [("Anna Berg", "Will you come tonight?\nFrom eight on?"), ("Tom Müller", "Gern, schön!")],
        [("anna@example.org", "One & two\nthree"), ("Tom", "Fine.")],
    ]
    assert read.left_out() == {"mail without a sender": 1}
    assert read.counts["met/line of quoted mail or signature cut"] == 2 + 3 + 3
    masked = read_chat(
        tmp_path / "mail.mbox", MBOX.replace("Will you come", "Anna and Tom, will you come"), mask=True
    )
    assert masked.said[0][0][1].startswith("<name> and <name>, will you come")


def node(name: str, parent: str | None, role: str | None, *parts: object, **more: object):
    message = role and {
        "author": {"role": role},
        "content": {"content_type": "text", "parts": list(parts)},
        **more,
    }
    return name, {"id": name, "message": message, "parent": parent, "children": []}


def test_chatgpt(tmp_path) -> None:
    mapping = dict(
        [
            node("root", None, None),
            node("hidden", "root", "system", "", weight=0.0),
            node("a", "hidden", "user", "What is a\nGRU?"),
            node("b", "a", "assistant", "An old answer"),
            node("c", "a", "assistant", "search()", recipient="browser"),
            node("d", "c", "tool", "found"),
            node("e", "d", "assistant", "A gated unit【1†source】", {"content_type": "image_asset_pointer"}),
            node("f", "e", "user", {"content_type": "image_asset_pointer"}),
        ]
    )
    mapping["g"] = node("g", "f", "assistant", "x")[1]
    mapping["g"]["message"]["content"] = {"content_type": "code", "text": "print(1)"}
    conversations = [
        {"title": "GRU", "mapping": mapping, "current_node": "g"},
        {"title": "none", "mapping": {}},
        {
            "title": "circle",
            "mapping": dict([node("a", "b", "user", "hi"), node("b", "a", "assistant", "ho")]),
        },
    ]
    read = read_chat(tmp_path / "conversations.json", json.dumps(conversations))
    assert read.name == "chatgpt"
    assert read.said[0] == [("user", "What is a\nGRU?"), ("assistant", "A gated unit")]
    assert sorted(read.said[1]) == [("assistant", "ho"), ("user", "hi")]
    assert read.left_out() == {
        "hidden message": 1,
        "message on another branch": 1,
        "message to or from a tool": 2,
        "media without text": 1,
        "code, thoughts or other content that is no text": 1,
        "conversation without messages": 1,
    }


def test_zip_files_are_read_in_place(tmp_path) -> None:
    path = tmp_path / "WhatsApp Chat - Tom.zip"
    chat = WHATSAPP["iOS"].format("Anna: hello, Tom\n", "Tom: hi\n")
    path.write_bytes(zip_of({"_chat.txt": chat, "0001-PHOTO.jpg": b"\xff\xd8", "__MACOSX/_chat.txt": b"\0"}))
    sources = find_sources([tmp_path], {}, FormatOptions(), "auto", 1 << 20)
    assert [(each.file.shown, each.log_format.name) for each in sources.files] == [
        (f"{path}/_chat.txt", "whatsapp")
    ]
    file = sources.files[0].file
    assert [line.content.decode() for line in file.lines()] == chat.split("\n")[:-1]
    assert (file.name, file.num_bytes) == ("_chat.txt", len(chat.encode()))


@pytest.mark.parametrize("content", [b"PK\x03\x04 cut off", b"no archive at all"])
def test_a_damaged_zip_file_is_told(tmp_path, content) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(LogError, match="x.zip is a ZIP file that cannot be read"):
        find_sources([tmp_path / "x.zip"], {}, FormatOptions(), "auto", 1 << 20)


@pytest.mark.parametrize("name", ["telegram", "discord", "chatgpt", "slack"])
@pytest.mark.parametrize("content", ['{"messages": 1', '{"else": []}', "[1, 2]", "[" * 10_000])
def test_a_forced_format_that_does_not_fit_is_one_sentence(tmp_path, name, content) -> None:
    if (name, content) in (("slack", '{"else": []}'), ("slack", "[1, 2]")):
        return  # nothing in it is a message, and that is counted
    with pytest.raises(LogFormatError):
        read_chat(tmp_path / "x.json", content, name=name)


def test_json_in_no_known_layout_is_refused_and_left_out_of_folders(tmp_path) -> None:
    (tmp_path / "package.json").write_text('{\n "name": "x"\n}\n')
    (tmp_path / "chat.txt").write_text(WHATSAPP["iOS"].format("Anna: hello\n", "Tom: hi\n"))
    sources = find_sources([tmp_path], {}, FormatOptions(), "auto", 1 << 20)
    assert [each.file.path.name for each in sources.files] == ["chat.txt"]
    assert "package.json holds one JSON value, in no known layout" in sources.left_out[0]


@pytest.mark.parametrize(
    "text",
    [
        "12:30 lunch at the cafe\n13:00 a walk\n",
        "we met on 12/31/20 and talked\n[so] she said\n",
        "A: see https://example.org\nB: yes\n",
        "[12:30] a plan, and [13:00] another\nno more\n",
    ],
)
def test_plain_text_is_no_chat(tmp_path, text) -> None:
    (tmp_path / "x.txt").write_text(text)
    assert find_format(LogFile(tmp_path / "x.txt", 1000), FormatOptions()).name == "plain"


@pytest.mark.parametrize("options", [{"silence": 0.0}, {"silence": float("nan")}, {"dates": "ydm"}])
def test_options_that_cannot_be(options) -> None:
    with pytest.raises(UsageError, match="--silence|--dates"):
        FormatOptions(**options)
