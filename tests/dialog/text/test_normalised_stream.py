"""A text in pieces is normalised to what it would be normalised to whole."""

import sys
import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from dialog.text.normalise import NormalisedStream, normalise, stands_alone

# Such as change with what comes before: marks, Hangul's parts, half-width letters, white space.
WAYWARD = "aかﾊ゛゙ﾞ゚\u0301\u0323ḍ\u1100\u1161\u11a8가각 \t\n\u3000\xa0\u2028ﬁ㍻½\u09c7\u09be\ud800"
texts = st.text(st.one_of(st.sampled_from(WAYWARD), st.characters(exclude_categories=())), max_size=8)


@given(st.lists(texts, max_size=8))
@example(["か", "\u3099"])
@example(["  a ", " ", "  b "])
@example(["\u1112", "\u1161", "\u11ab"])
@example(["", " "])
def test_pieces_join_to_the_normalised_whole(pieces: list[str]) -> None:
    stream = NormalisedStream()
    given_out = [stream.push(piece) for piece in pieces]
    assert "".join(given_out) + stream.finish() == normalise("".join(pieces))


def test_no_more_than_the_last_character_and_white_space_is_held_back() -> None:
    stream = NormalisedStream()
    pieces = [stream.push(piece) for piece in ("元気で", "すか?", " I", " am")]
    assert pieces == ["元気", "ですか", "?", " I a"]


def test_what_stands_alone_joins_with_nothing_before_it() -> None:
    """Held against every composition that this Python knows."""
    second = set()
    for number in range(sys.maxunicode + 1):
        parts = unicodedata.decomposition(chr(number)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            second.add(chr(int(parts[1], 16)))
    marks = {chr(n) for n in range(sys.maxunicode + 1) if unicodedata.combining(chr(n))}
    assert not [character for character in second | marks if stands_alone(character)]
    assert all(map(stands_alone, "a か漢é！ｱ😀"))
