"""Reading by columns gives what reading record by record gives, whatever stands in the log."""

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.corpus.cleaning import Counts
from dialog.corpus.columns import read_plain
from dialog.corpus.jsonl import JsonLines
from dialog.corpus.records import RawRecord
from dialog.corpus.splits import Shares, SplitRule
from dialog.corpus.texts import TEXT_SCHEMA, Chunk, clean_chunk


class OneByOne:
    """JSON Lines that are not known to be some."""

    name = "jsonl"
    records = JsonLines.records
    parse = JsonLines.parse


def both(lines: list[bytes], reply_as: str | None = None):
    records = [RawRecord(number, line, len(line)) for number, line in enumerate(lines, 1)]
    rule = SplitRule(None, Shares(0.2, 0.2), 1)
    for log_format in (JsonLines(), OneByOne()):
        cleaned = clean_chunk(Chunk(log_format, "log.jsonl", records, reply_as, rule, None))
        counts = {name: number for name, number in cleaned.counts.items() if number}
        batch = pa.ipc.read_record_batch(cleaned.batch, TEXT_SCHEMA)
        yield batch.to_pylist(), counts, cleaned.bad, dict(cleaned.speakers)


NAMES = st.sampled_from(["A", "B", "Ann ", "Ann", "ａ", "", "assistant"])
TEXTS = st.one_of(
    st.sampled_from(["yes", "no  no", " so", "", " ", "ﬁne", "\u2026", "\ud800", "-"]), st.text(max_size=5)
)
TURN = st.fixed_dictionaries({"speaker": NAMES, "text": TEXTS})
ODD_TURN = st.one_of(
    st.just({"role": "user", "content": "x"}),
    st.fixed_dictionaries({"speaker": st.one_of(st.none(), st.integers(), NAMES), "content": TEXTS}),
    st.just({"speaker": "A", "text": None}),
    st.just({"speaker": "A", "text": "x", "time": 3}),
    st.just(3),
)
LINE = st.one_of(
    st.fixed_dictionaries({"turns": st.lists(TURN, max_size=5)}),
    st.fixed_dictionaries({"id": st.text(max_size=3), "turns": st.lists(TURN, min_size=2, max_size=5)}),
    st.fixed_dictionaries({"id": st.text(max_size=3), "turns": st.lists(TURN, min_size=2, max_size=5)}),
).map(json.dumps)
ODD_LINE = st.one_of(
    st.fixed_dictionaries({"turns": st.lists(st.one_of(TURN, ODD_TURN), max_size=4)}).map(json.dumps),
    st.fixed_dictionaries({"messages": st.lists(ODD_TURN, max_size=4)}).map(json.dumps),
    st.sampled_from(
        [
            "{",
            "null",
            "[]",
            "{}",
            '{"id": 7, "turns": []}',
            '{"id": null, "turns": [{"speaker": "A", "text": "x"}, {"speaker": "B", "text": "y"}]}',
            '{"id": 123456789012345678901234567890, "turns": []}',
            '{"turns": [{"speaker": "A", "text": "x", "text": "y"}, {"speaker": "B", "text": "z"}]}',
            '{"turns": null, "messages": []}',
            '{"\\u0069d": 4, "turns": [{"speaker": "A", "text": "x"}, {"speaker": "B", "text": "y"}]}',
            '{"turns": []} {"turns": []}',
            '{"turns": NaN}',
            '{"turns": [{"speaker": "A", "text": "a\tb"}]}',
            "\u2028",
        ]
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(st.lists(LINE, max_size=6), st.lists(st.one_of(LINE, ODD_LINE), max_size=6)),
    st.sampled_from([None, "B", "Ann"]),
)
def test_both_ways_give_the_same(lines, reply_as) -> None:
    by_columns, one_by_one = both([line.encode("utf-8", "surrogatepass") for line in lines], reply_as)
    assert by_columns == one_by_one


@pytest.mark.parametrize("end", [b"\xff", b"\xed\xa0\x80"])
def test_what_is_not_utf_8_is_named(end) -> None:
    line = b'{"turns": [{"speaker": "A", "text": "x' + end + b'"}]}'
    by_columns, one_by_one = both([line, b'{"turns": []}'])
    assert by_columns == one_by_one
    assert "not UTF-8" in by_columns[2][0][1]


def test_plain_conversations_are_read_by_columns(made_conversation) -> None:
    lines = [json.dumps(made_conversation(number)).encode() for number in range(50)]
    lines[7] = b'{"turns": []}'
    records = [RawRecord(number, line, len(line)) for number, line in enumerate(lines, 1)]
    plain = read_plain(records, "x", None, Counts(), Counts())
    assert plain.others == [7]
    assert len(plain.places) == 49
