"""`--mask`: what becomes a placeholder, what stays, and that both are counted."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.corpus.masking import PLACEHOLDERS, Masker

NAMES = (
    "Anna Berg",
    "Tom",
    "Will Short",
    "花子",
    "山田 太郎",
    "@zoe_x",
    "+49 170 1234567",
    "A",
    "user",
    "dax|away",
)


def masked(text: str, names: tuple[str, ...] = NAMES) -> tuple[str, dict[str, int]]:
    counts: Counter[str] = Counter()
    return Masker(names).mask(text, counts), {key.removeprefix("masked/"): n for key, n in counts.items()}


@pytest.mark.parametrize(
    ("text", "there", "kinds"),
    [
        ("see https://example.org/a?b=c#d.", "see <link>.", {"link": 1}),
        ("(www.example.org), HTTP://X.ORG!", "(<link>), <link>!", {"link": 2}),
        ("リンクはhttps://example.com/xを見て", "リンクは<link>を見て", {"link": 1}),
        ("https://example.org/zürich t.me/group", "<link> <link>", {"link": 2}),
        ("mail a.b+c@example.co.uk, please", "mail <mail>, please", {"mail": 1}),
        ("メールはa.b@example.comです", "メールは<mail>です", {"mail": 1}),
        ("call +49 170 1234567 or 0170-1234567", "call <phone> or <phone>", {"phone": 2}),
        ("(030) 123 45 67", "<phone>", {"phone": 1}),
        ("電話は０９０－１２３４－５６７８です", "電話は<phone>です", {"phone": 1}),
        ("anna and ANNA BERG, Berg", "<name> and <name>, <name>", {"name": 3}),
        ("Anna's dog, Tomorrow, atom", "<name>'s dog, Tomorrow, atom", {"name": 1}),
        ("Will you come, Will? I will, Will Short", "<name> you come, <name>? I will, <name>", {"name": 3}),
        ("berg, a user, A", "berg, a user, A", {}),
        ("花子さんと太郎", "<name>さんと<name>", {"name": 2}),
        ("@Anna Berg @zoe_x @nobody.else, dax|away: hi", "<name> <name> <name>, <name>: hi", {"name": 4}),
        ("a picture <media>", "a picture <media>", {"media": 1}),
    ],
)
def test_what_is_masked(text, there, kinds) -> None:
    assert masked(text) == (there, kinds)


@pytest.mark.parametrize(
    "text",
    [
        "on 2020-12-31 10:30, on 31.12.2020, at 12:30:45",
        "1 000 000 people and 1.000.000 euros, 12345678 grams",
        "3.14159265358, 10-20, 2019-2020",
        "version 1.2.3, <3, x@y, a/b, 100%",
        "  kept  as it\u00a0was  ",
        "",
    ],
)
def test_what_stays_as_it_was(text) -> None:
    assert masked(text) == (text, {})


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text("ab @.:/+0123456789()-<>花子太郎Tom\u3000", max_size=60))
def test_masking_twice_changes_nothing_more_and_leaves_no_name(text) -> None:
    once, counts = masked(text)
    again, more = masked(once)
    assert again == once
    assert more == ({"media": once.count("<media>")} if "<media>" in once else {})
    assert "花子" not in once
    assert sum(map(once.count, PLACEHOLDERS)) == sum(counts.values()) + sum(
        map(text.count, PLACEHOLDERS[:-1])
    )
