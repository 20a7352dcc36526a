"""Search finds what is there, whatever its width or case, the newest first, and alike on both databases."""

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.store import Store
from app.store.search_text import PIECE_SIZE, SEPARATOR, search_form
from dialog.decoding.replies import Reply
from dialog.errors import StoreError
from tests.app.store.conftest import BOTH

ALPHABET = "aAäﾊﾞバは東京％%_\\'\" \n\x1fßſİ①"


def say(store: Store, owner: str, *texts: str) -> str:
    """Makes a session of some messages, one after the other; returns its id."""
    session = store.create_session(owner).id
    parent = None
    for number, text in enumerate(texts):
        parent = store.add_user_message(owner, session, parent, text, str(number)).id
    return session


def found(store: Store, owner: str, query: str, limit: int = 100) -> list[str]:
    return [hit.text for hit in store.search(owner, query, limit)]


@BOTH
@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("きのう東京へ行った", "東京"),
        ("ﾊﾝﾊﾞｰｸﾞを食べた", "バー"),
        ("ハンバーグを食べた", "ﾊﾞｰ"),
        ("が", "か\N{COMBINING KATAKANA-HIRAGANA VOICED SOUND MARK}"),
        ("ＨＥＬＬＯ there", "hello"),
        ("Straße", "STRASSE"),
        ("100% sure", "0% s"),
        ("snake_case", "e_c"),
        (r"C:\temp", r":\t"),
        ("one\n\n two", "one two"),
        ('it\'s "quoted"', "t's \""),
        ("👋🏽 hi", "👋"),
    ],
)
def test_a_text_is_found_by_its_letters(store: Store, owner: str, text: str, query: str) -> None:
    say(store, owner, "nothing of it", text, "nor here")
    assert found(store, owner, query) == [text]


@BOTH
def test_wildcards_are_letters_and_nothing_finds_nothing(store: Store, owner: str) -> None:
    say(store, owner, "plain words", "other words", "")
    for query in (
        "%",
        "_",
        "\\",
        "w%s",
        "plain_words",
        "*",
        "?",
        "[a-z]",
        "",
        " \n",
        SEPARATOR,
        "wordsother",
    ):
        assert found(store, owner, query) == []


@BOTH
def test_the_newest_come_first_from_every_branch_of_every_session(
    store: Store, owner: str, make_reply: Callable[..., Reply]
) -> None:
    first, second = say(store, owner, "word 0"), say(store, owner, "word 1")
    parent = store.messages(owner, first)[-1].id
    store.add_user_message(owner, first, parent, "word 2 " + "long " * PIECE_SIZE, "a")
    reply = store.add_reply(owner, second, None, make_reply(text="<b>Word</b> 3"), "hred", "b")
    store.add_user_message(owner, first, None, "word 4", "c")
    hits = store.search(owner, "word")
    assert [hit.text[:6].lower() for hit in hits] == ["word 4", "<b>wor", "word 2", "word 1", "word 0"]
    assert [hit.session_id for hit in hits] == [first, second, first, second, first]
    assert (hits[1].message_id, hits[1].role, hits[1].created_at) == (reply.id, "bot", reply.created_at)
    assert hits[1].title == "word 1"
    assert store.search(owner, "word", 2) == hits[:2]


@BOTH
def test_only_the_owners_own_and_nothing_deleted_is_found(store: Store, owner: str) -> None:
    other = store.owner_for("another cookie")
    mine, gone = say(store, owner, "secret of mine"), say(store, owner, "secret that goes")
    say(store, other, "secret of theirs")
    store.delete_session(owner, gone)
    assert found(store, owner, "secret") == ["secret of mine"]
    assert found(store, "nobody", "secret") == []
    store.rename(owner, mine, "Renamed")
    assert store.search(owner, "secret")[0].title == "Renamed"


@BOTH
def test_what_cannot_be_looked_for_is_a_sentence(store: Store, owner: str) -> None:
    for query, limit, reason in (("a\0", 1, "NUL"), ("a", 0, "1 or more"), ("a" * 201, 1, "shorten it")):
        with pytest.raises(StoreError, match=reason):
            store.search(owner, query, limit)


@BOTH
def test_a_limit_takes_the_newest_of_many_pieces(store: Store, owner: str) -> None:
    sessions = [store.create_session(owner).id for _ in range(3)]
    filler = "x" * (PIECE_SIZE // 4)
    for number in range(70):  # more pieces than are read at once
        store.add_user_message(owner, sessions[number * number % 3], None, f"w{number} {filler}", str(number))
    numbers = [text.split()[0] for text in found(store, owner, "w", 500)]
    assert numbers == [f"w{number}" for number in reversed(range(70))]
    for limit in (1, 7, 69):
        assert [text.split()[0] for text in found(store, owner, "w", limit)] == numbers[:limit]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(ALPHABET, max_size=12), max_size=6), query=st.text(ALPHABET, max_size=3))
def test_a_search_is_a_look_at_every_text(store: Store, texts: list[str], query: str) -> None:
    owner = store.owner_for(repr((texts, query)))
    say(store, owner, *texts)
    wanted = search_form(query)
    expected = [text for text in reversed(texts) if wanted and wanted in search_form(text)]
    assert found(store, owner, query) == expected


@settings(max_examples=50)
@given(st.text())
def test_the_searched_form_is_settled(text: str) -> None:
    form = search_form(text)
    assert search_form(form) == form
    assert unicodedata.is_normalized("NFKC", form)
    assert SEPARATOR not in form
