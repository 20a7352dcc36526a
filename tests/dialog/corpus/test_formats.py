"""Each log format: what it reads, what is a bad record in it, and that it is found out by itself."""

import gzip
import re

import pytest

from dialog.conversation import Conversation, Turn
from dialog.corpus.dailydialog import DailyDialog
from dialog.corpus.formats import FormatOptions
from dialog.corpus.jsonl import JsonLines
from dialog.corpus.plain import PlainText, uses_names
from dialog.corpus.records import LogFile
from dialog.errors import LogError, LogFormatError

LIMIT = 2_000


def turns(*pairs: tuple[str, str]) -> tuple[Turn, ...]:
    return tuple(Turn(speaker, text) for speaker, text in pairs)


THE_SAME = {
    "log.jsonl": b'{"id": "x", "turns": [{"speaker": "A", "text": "hi"}, {"speaker": "B", "text": "ho, ho"}]}\n',
    "messages.jsonl": b'{"id": "x", "messages": [{"speaker": "A", "content": "hi"}, {"speaker": "B", '
    b'"content": [{"type": "text", "text": "ho, ho"}]}]}\n',
    "log.csv": b'conversation,speaker,text\nx,A,hi\nx,B,"ho, ho"\n',
    "semicolon.csv": b"Dialog_ID;Author;Message\nx;A;hi\nx;B;ho, ho\n",
    "log.tsv": b"text\tspeaker\tconversation\nhi\tA\tx\nho, ho\tB\tx\n",
    "plain.txt": b"hi\nho, ho\n",
    "names.txt": b"A: hi\nB: ho, ho\n",
    "dailydialog.txt": b"hi __eou__ ho, ho __eou__\n",
}


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("change", ["", "crlf", "mark", "bare end"])
@pytest.mark.parametrize("name", THE_SAME)
def test_every_format_reads_the_same_conversation(tmp_path, read_log, name, change, ending) -> None:
    data = THE_SAME[name]
    if change == "crlf":
        data = data.replace(b"\n", b"\r\n")
    elif change == "mark":
        data = b"\xef\xbb\xbf" + data
    elif change == "bare end":
        data = data.rstrip()
    (conversation,), bad, _ = read_log(tmp_path / (name + ending), data)
    assert bad == []
    assert [(turn.speaker, turn.text.strip()) for turn in conversation.turns] == [
        ("A", "hi"),
        ("B", "ho, ho"),
    ]
    assert conversation.id == ("x" if name.endswith(("jsonl", "csv", "tsv")) else f"{name}{ending}:1")


@pytest.mark.parametrize("name", THE_SAME)
def test_the_format_is_found_without_the_ending(tmp_path, read_log, name) -> None:
    with_ending = read_log(tmp_path / name, THE_SAME[name])[2]
    assert read_log(tmp_path / "log", THE_SAME[name])[2] == with_ending


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", b" \r\n"])
def test_an_empty_file_has_no_format(tmp_path, read_log, data) -> None:
    assert read_log(tmp_path / "log.jsonl", data)[2] is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0", "binary file .* offset 8"),
        ('{"turns": []}'.encode("utf-16"), "UTF-16"),
        (b'[{"turns": []}]', "JSON list"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path, read_log, data, said) -> None:
    with pytest.raises(LogFormatError, match=said):
        read_log(tmp_path / "log", data)


def test_a_cut_off_gzip_file_stops_everything(tmp_path) -> None:
    path = tmp_path / "log.jsonl.gz"
    packed = gzip.compress(b"".join(b'{"turns": [], "n": %d}\n' % (n * 7919 % 1009) for n in range(90_000)))
    path.write_bytes(packed[: len(packed) - 40])
    with pytest.raises(LogError, match=r"log\.jsonl\.gz is damaged or cut off after line \d+"):
        for _ in LogFile(path, LIMIT).lines():
            pass
    path.write_bytes(packed[:30])
    with pytest.raises(LogError, match="cut off"):
        LogFile(path, LIMIT).sample(100)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"turns": [', "no JSON"),
        (b"[" * 1_900, "no JSON"),
        (b'{"id": 1%s}' % (b"0" * 1_500), "turns"),
        (b"[]", "JSON object"),
        (b'{"turns": 3}', "list 'turns'"),
        (b'{"id": [], "turns": []}', "'id'"),
        (b'{"turns": ["hi"]}', r"turns\[0\]"),
        (b'{"turns": [{"speaker": "A", "text": "hi"}, {"speaker": "B"}]}', r"turns\[1\] has no 'text'"),
        (b'{"turns": [{"text": "hi"}]}', "speaker"),
        (b'{"turns": [{"speaker": "A", "text": 3}]}', "is no text"),
        (b'{"turns": [], "x": "caf\xe9"}', "byte 0xE9 at offset 23"),
        (b'{"turns": [], "x": "%s"}' % (b"a" * 5_000), "longer than 2,000 bytes"),
    ],
)
def test_a_bad_line_is_named_and_skipped(tmp_path, read_log, line, reason) -> None:
    good = b'{"id": %d, "turns": []}\n'
    conversations, bad, _ = read_log(tmp_path / "log.jsonl", good % 1 + b"\n" + line + b"\n" + good % 2)
    assert [conversation.id for conversation in conversations] == ["1", "2"]
    ((number, said),) = bad
    assert number == 3
    assert re.search(reason, said)


def test_a_huge_line_is_never_held(tmp_path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"x": "' + b"a" * 3_000_000 + b'"}\n{"turns": []}\n')
    lines = list(LogFile(path, LIMIT).lines())
    assert [(line.number, line.content) for line in lines] == [(1, None), (2, b'{"turns": []}')]


def test_roles_are_told_from_speakers(tmp_path, read_log) -> None:
    data = b'{"messages": [{"role": "user", "content": null}, {"role": "assistant", "content": "ho"}]}'
    path = tmp_path / "log"
    (conversation,), _, log_format = read_log(path, data)
    assert conversation.turns == turns(("user", ""), ("assistant", "ho"))
    (record,) = log_format.records(LogFile(path, LIMIT), LogFile(path, LIMIT).lines())
    assert JsonLines().parse(record, "x").roles


def test_dailydialog_keeps_an_empty_utterance_in_its_place(tmp_path, read_log) -> None:
    (conversation,), bad, log_format = read_log(tmp_path / "log", b"a __eou__  __eou__ b __eou__ \nno mark\n")
    assert log_format == DailyDialog()
    assert [turn.text.strip() for turn in conversation.turns] == ["a", "", "b"]
    assert bad == [(2, "no __eou__ in the line")]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Ann: hi\nBob: ho\nAnn: well", True),
        ("Ann: hi\nBob: ho\n\nCy: hi\nAnn: ho", True),
        ("Ann: hi\nBob: ho\nAnn: one\nBob: two\nand a line more\nAnn: well", True),
        ("アン: やあ\nボブ: うん\nアン: そう", True),
        ("hi\nho", False),
        ("http://a.example\nhttps://b.example\nhttp://c.example", False),
        ("hello\nNote: this is no name\nwell\nhi", False),
        ("12:30 hi\n12:31 ho\n12:32 well", False),
        ("hi there\nAnn: ho\nBob: hi\nAnn: well\nBob: ho", False),
        ("it is so: we go\nI said it: no\nyou see: yes\nthen: what", False),
    ],
)
def test_names_are_seen_only_where_they_are_used_throughout(text, named) -> None:
    assert uses_names(text.split("\n")) is named


def test_plain_text_without_names_keeps_colons(tmp_path, read_log) -> None:
    data = b"see http://a.example\nNote: ho\n\n\nwell\nhi\nso\n"
    conversations, _, log_format = read_log(tmp_path / "log.txt", data)
    assert log_format == PlainText(names=False)
    assert conversations == [
        Conversation("log.txt:1", turns(("A", "see http://a.example"), ("B", "Note: ho"))),
        Conversation("log.txt:5", turns(("A", "well"), ("B", "hi"), ("A", "so"))),
    ]


def test_named_lines_go_on_and_can_be_asked_for(tmp_path, read_log) -> None:
    data = b"Ann: hi\nthere\nBob: ho\n"
    (conversation,), _, _ = read_log(tmp_path / "log.txt", data, FormatOptions(names="yes"))
    assert conversation.turns == turns(("Ann", "hi there"), ("Bob", "ho"))
    (conversation,), _, _ = read_log(tmp_path / "log.txt", b"Ann: hi\nBob: ho\n", FormatOptions(names="no"))
    assert conversation.turns == turns(("A", "Ann: hi"), ("B", "Bob: ho"))


def test_bad_plain_text_is_named(tmp_path, read_log) -> None:
    data = b"ok\nok\n\nhi\ncaf\xe9\n\n" + b"long\n" * 900 + b"\nok\n" + b"x" * 5_000 + b"\n\nok\nok\n"
    conversations, bad, _ = read_log(tmp_path / "log.txt", data)
    assert [conversation.id for conversation in conversations] == ["log.txt:1", "log.txt:911"]
    assert [line for line, _ in bad] == [4, 7, 908]
    assert "0xE9 at offset 3 of line 5" in bad[0][1]
    assert "the conversation is longer" in bad[1][1]
    assert "the line is longer" in bad[2][1]
