"""Exports of chat programs in JSON: Telegram, Discord, Slack, ChatGPT; in the layouts that are written."""

import json

import pytest

from dialog.corpus.formats import FormatOptions, find_format
from dialog.corpus.records import LogFile
from dialog.corpus.sources import find_sources
from tests.dialog.corpus.chat_reading import HELLO, read_chat, zip_of


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
