"""How a stream of messages is cut into conversations."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.corpus.chats.cutting import cut
from dialog.corpus.chats.message import LeftOut, Message
from dialog.corpus.formats import FormatOptions, find_format
from dialog.corpus.records import LogFile, RawRecord

UBUNTU = Path(__file__).parents[3].parent / "shared/corpora/ubuntu_irc/valid.jsonl.gz"
HOUR = 3_600.0


def message(
    number: int, hours: float | None, reply_to: int | None = None, thread: str | None = None, stream: str = ""
):
    time = None if hours is None else hours * HOUR
    answers = None if reply_to is None else str(reply_to)
    return Message(number, time, "A", str(number), stream, str(number), answers, thread)


def numbers(*items: object, most_bytes: int = 1_000) -> list[list[int]]:
    """The numbers of the messages of each conversation, for a silence of an hour."""
    records = list(cut(items, HOUR, most_bytes))
    return [[int(text) for _, text, _ in record.payload.turns] for record in records if record.payload.turns]


def test_silence_ends_a_conversation_and_a_missing_time_does_not() -> None:
    assert numbers(message(1, 0), message(2, 1), message(3, 2.01), message(4, None), message(5, 2.5)) == [
        [1, 2],
        [3, 4, 5],
    ]
    # A clock that jumped back by days: another stretch of the log.
    assert numbers(message(1, 50), message(2, 2)) == [[1], [2]]


def test_an_answer_goes_to_what_it_answers() -> None:
    # While others talk, the answer alone goes back.
    assert numbers(message(1, 0), message(2, 5), message(3, 5.1, reply_to=1), message(4, 5.2)) == [
        [1, 3],
        [2, 4],
    ]
    # Where nobody talked, the stream goes on there.
    assert numbers(message(1, 0), message(2, 5), message(3, 9, reply_to=1), message(4, 9.1)) == [
        [1, 3, 4],
        [2],
    ]
    # What it answers is not in the log.
    assert numbers(message(1, 0), message(2, 0.1, reply_to=77), message(3, 9, reply_to=77)) == [[1, 2], [3]]


def test_a_thread_is_one_conversation_and_the_stream_goes_on_beside_it() -> None:
    items = [
        message(1, 0),
        message(2, 0.1, thread="t"),
        message(3, 0.2),
        message(4, 30, thread="t"),
        message(5, 30),
    ]
    assert numbers(*items) == [[1, 3], [2, 4], [5]]


def test_streams_are_apart_and_a_long_conversation_goes_on_as_a_new_one() -> None:
    assert numbers(message(1, 0), message(2, 0, stream="b"), message(3, 0, reply_to=1, stream="b")) == [
        [1],
        [2, 3],
    ]
    long = [Message(n, 0.0, "A", f"{n:05}") for n in range(30)]
    cut_up = numbers(*long, most_bytes=50)
    assert [n for each in cut_up for n in each] == list(range(30))
    assert max(map(len, cut_up)) == 9


def test_counts_go_with_the_next_record_or_a_last_one_without_turns() -> None:
    bad = RawRecord(7, None, 0, "why")
    records = list(cut([LeftOut("x", 2), message(1, 0), bad, LeftOut("y")], HOUR, 100))
    assert [record.error for record in records] == ["why", None]
    assert records[1].payload.counts == {"messages_left_out/x": 2, "messages_left_out/y": 1}
    (last,) = cut([LeftOut("x")], HOUR, 100)
    assert (last.payload.turns, last.payload.counts) == ([], {"messages_left_out/x": 1})


EVENTS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 1.5, 30.0]),
        st.none() | st.integers(0, 12),
        st.none() | st.sampled_from("tu"),
        st.sampled_from("ab"),
    ),
    max_size=12,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(EVENTS, st.integers(1, 40))
def test_every_message_is_in_one_conversation_in_its_order(events, most_bytes) -> None:
    hours = 0.0
    items = []
    for number, (gap, reply_to, thread, stream) in enumerate(sorted(events, key=lambda event: event[3])):
        hours += gap
        items.append(message(number, hours, reply_to, thread, stream))
    found = numbers(*items, most_bytes=most_bytes)
    assert sorted(n for each in found for n in each) == list(range(len(items)))
    assert all(each == sorted(each) for each in found)


@pytest.mark.skipif(not UBUNTU.exists(), reason="the corpus is not there")
@pytest.mark.parametrize(
    "layout", ["{0:%H:%M} < {1}> {2}", "{0:%Y-%m-%d %H:%M:%S}\t{1}\t{2}", "[{0:%H:%M:%S}] <{1}> {2}"]
)
def test_real_chats_of_ubuntu_are_read_back_from_logs_of_irc(tmp_path, layout) -> None:
    """Real text of IRC, each conversation two hours after the one before, in three clients' layouts."""
    with gzip.open(UBUNTU, "rt", encoding="utf-8") as stream:
        conversations = [json.loads(line)["turns"] for line in list(stream)[:100]]
    at = datetime(2020, 1, 1, tzinfo=UTC)
    lines, expected = [], []
    for turns in conversations:
        said = [(turn["speaker"].replace(" ", "_") or "x", " ".join(turn["text"].split())) for turn in turns]
        expected.append(said)
        lines += [layout.format(at, *each) for each in said]
        at += timedelta(hours=2)
    path = tmp_path / "talk.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    file = LogFile(path, 1 << 20)
    found = find_format(file, FormatOptions())
    assert found.name == "irc"
    records = found.records(file, file.lines())
    read = [
        [(turn.speaker, turn.text) for turn in found.parse(record, "x").conversation.turns]
        for record in records
    ]
    assert [each for each in read if each] == expected
