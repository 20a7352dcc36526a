"""Exports of chat programs that are lines of text: WhatsApp, LINE, IRC, mail; in the layouts that are written."""

import pytest

from tests.dialog.corpus.chat_reading import HELLO, WHATSAPP, read_chat


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
