"""CSV and TSV: columns by name, rows that stand together, time, quotes, and what is bad in them."""

import pytest

from dialog.conversation import Turn
from dialog.corpus.formats import FormatOptions
from dialog.errors import LogFormatError


def turns(*pairs: tuple[str, str]) -> tuple[Turn, ...]:
    return tuple(Turn(speaker, text) for speaker, text in pairs)


HEADER = b"conversation,speaker,text\n"


def test_columns_can_be_named(tmp_path, read_log) -> None:
    options = FormatOptions(
        column_conversation="Ticket", column_speaker="who", column_text="said", column_time="at"
    )
    data = b"at,said,who,Ticket\n10,ho,B,x\n9,hi,A,x\n"
    (conversation,), _, _ = read_log(tmp_path / "log.csv", data, options)
    assert conversation.id == "x"
    assert conversation.turns == turns(("A", "hi"), ("B", "ho"))


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        (
            b"a,b,c\n1,2,3\n",
            FormatOptions(),
            "no column 'conversation', only 'a', 'b', 'c': .*--column-conversation",
        ),
        (HEADER, FormatOptions(column_text="said"), "no column 'said'.* --column-text"),
        (HEADER, FormatOptions(column_time="at"), "no column 'at'.* --column-time"),
        (b'a"b,"c"d,e\n', FormatOptions(), "first row"),
    ],
)
def test_a_missing_column_says_which_there_are(tmp_path, read_log, data, options, said) -> None:
    with pytest.raises(LogFormatError, match=said):
        read_log(tmp_path / "log.csv", data, options)


def test_quotes_hold_lines_and_delimiters(tmp_path, read_log) -> None:
    data = HEADER + b'x,A,"one\r\ntwo, ""three"""\nx,B,ho\n'
    (conversation,), bad, _ = read_log(tmp_path / "log.csv", data)
    assert bad == []
    assert " ".join(conversation.turns[0].text.split()) == 'one two, "three"'


@pytest.mark.parametrize(
    "times", [("2", "10", "30.5"), ("2024-01-02", "2024-01-02T03:04:05Z", "2024-01-02T03:04:06+00:00")]
)
def test_time_sorts_within_a_conversation(tmp_path, read_log, times) -> None:
    first, second, third = (time.encode() for time in times)
    data = b"conversation,speaker,text,time\n"
    data += b"x,A,c,%s\nx,B,a,%s\nx,A,b,%s\ny,A,z,%s\n" % (third, first, second, first)
    conversations, bad, _ = read_log(tmp_path / "log.csv", data)
    assert bad == []
    assert [[turn.text for turn in each.turns] for each in conversations] == [["a", "b", "c"], ["z"]]


@pytest.mark.parametrize("time", ["soon", "", "nan", "inf", "9" * 400, "2024-13-01"])
def test_a_time_that_is_none_is_bad(tmp_path, read_log, time) -> None:
    data = b"conversation,speaker,text,time\nx,A,hi,1\nx,B,ho,%s\n" % time.encode()
    _, bad, _ = read_log(tmp_path / "log.csv", data)
    ((line, reason),) = bad
    assert line == 2
    assert "in line 3 is neither" in reason


def test_a_conversation_that_comes_back_is_bad_and_not_silent(tmp_path, read_log) -> None:
    data = HEADER + b"x,A,a\ny,A,b\nx,B,c\nx,A,d\ny,B,e\n"
    conversations, bad, _ = read_log(tmp_path / "log.csv", data)
    assert [conversation.id for conversation in conversations] == ["x", "y"]
    assert [line for line, _ in bad] == [4, 6]
    assert "sort the rows by conversation" in bad[0][1]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"x,A\n", "the row has 2 fields, but the header 3"),
        (b"x,A,hi,there\n", "the row has 4 fields, but the header 3"),
        (b'x,A,"hi" there\n', "no row of CSV"),
        (b"x,A,caf\xe9\n", "not UTF-8: byte 0xE9"),
        (b"x,A," + b"a" * 5_000 + b"\n", "longer than 2,000 bytes"),
    ],
)
def test_a_bad_row_is_named_and_the_rest_is_read(tmp_path, read_log, row, reason) -> None:
    conversations, bad, _ = read_log(tmp_path / "log.csv", HEADER + b"x,A,a\n" + row + b"x,B,c\n")
    assert [[turn.text for turn in each.turns] for each in conversations] == [["a", "c"]]
    ((line, said),) = bad
    assert line == 3
    assert reason in said


def test_a_quote_that_never_ends_is_bad(tmp_path, read_log) -> None:
    conversations, bad, _ = read_log(tmp_path / "log.csv", HEADER + b'x,A,a\nx,B,"c\nx,A,d\n')
    assert [[turn.text for turn in each.turns] for each in conversations] == [["a"]]
    assert [line for line, _ in bad] == [3]
    assert "no row of CSV" in bad[0][1]


def test_a_conversation_of_many_rows_is_bounded(tmp_path, read_log) -> None:
    conversations, bad, _ = read_log(tmp_path / "log.csv", HEADER + b"x,A,hello\n" * 500 + b"y,A,a\n")
    assert [conversation.id for conversation in conversations] == ["y"]
    assert [(line, "the conversation is longer" in reason) for line, reason in bad] == [(2, True)]
