"""The words of the page: two languages that say the same things, and which of them is shown."""

import asyncio
import re
import string
from pathlib import Path

import pytest

from app.bots import Bots
from app.learning import Lessons
from app.store.records import checked_text
from app.trainings import Plan, Trainings
from app.web.chats import Chats
from app.web.controls import read_seed
from app.web.language import InLanguage, choose_language
from app.web.words import LANGUAGES, all_words, label, say
from app.web.words.sentences import SENTENCES, tell
from dialog.decoding.replies import Sampling
from dialog.errors import DialogError


def test_each_language_has_each_word_with_the_same_values():
    english, *others = (all_words(language) for language in LANGUAGES)
    assert english

    def values(text):
        return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)

    for words in others:
        assert words.keys() == english.keys()
        assert {key: values(text) for key, text in words.items()} == {
            key: values(text) for key, text in english.items()
        }
        assert all(text.strip() for text in words.values())


def test_words_are_filled_in_and_unknown_keys_are_an_error():
    assert say("page.language", "ja") == "言語"
    assert say("page.language", "fr") == "Language"
    with pytest.raises(KeyError):
        say("page.nothing", "en")
    with pytest.raises(KeyError):
        label("page.nothing")


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        (None, None, "en"),
        (None, "ja", "ja"),
        (None, "ja-JP,en;q=0.5", "ja"),
        (None, "fr, en;q=0.4, ja;q=0.8", "ja"),
        (None, "de,*;q=0.1", "en"),
        (None, "ja;q=nonsense, ,;;", "en"),
        ("en", "ja", "en"),
        ("ja", "en", "ja"),
        ("<script>", "ja", "ja"),
    ],
)
def test_a_choice_wins_over_the_browsers_language(chosen, accepted, language):
    assert choose_language(chosen, accepted) == language


@pytest.mark.parametrize(
    ("cookie", "language"), [("hred_language=ja", "ja"), ('hred_language="</script>"', "en"), ("@@=;", "en")]
)
def test_the_page_is_told_its_language_before_any_script(cookie, language):
    sent = []

    async def inner(scope, receive, send):
        assert b"accept-encoding" not in dict(scope["headers"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"13")]})
        await send({"type": "http.response.body", "body": b"<head>", "more_body": True})
        await send({"type": "http.response.body", "body": b"</head>"})

    async def send(message):
        sent.append(message)

    headers = [(b"cookie", cookie.encode()), (b"accept-encoding", b"gzip")]
    scope = {"type": "http", "path": "/", "method": "GET", "headers": headers}
    asyncio.run(InLanguage(inner, head="<!-- more -->")(scope, None, send))
    start, body = sent
    assert body["body"].startswith(b"<head><script>") and body["body"].endswith(b"<!-- more --></head>")
    assert f'lang = "{language}"'.encode() in body["body"]
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()


def test_each_sentence_of_an_error_is_told_in_japanese_with_its_values(tmp_path):
    def raised(action, *arguments, **options):
        with pytest.raises(DialogError) as caught:
            action(*arguments, **options)
        return caught.value

    errors = [
        raised(Chats._check_length, "x" * 20_001),
        raised(Chats._check_length, " "),
        raised(Sampling, temperature=0.0),
        raised(Sampling, no_repeat_ngram=-1),
        raised(checked_text, "\0", "message"),
        raised(checked_text, "\ud800", "title"),
        raised(read_seed, (*[None] * 13, -1, False)),
        raised(Bots({"one": Path("one")}).engine, "nobody"),
        raised(Bots({"one": Path("one")}).remove, "one"),
        raised(Bots({"one": Path("one")}).add, "nowhere"),
        raised(Bots({"one": Path("one")}).add, " "),
        raised(Bots({"one": tmp_path}).add, str(tmp_path)),
        raised(Bots({"one": Path("one")}).add, str(tmp_path)),
        raised(Lessons(1, 1, {"liked": 1}, {}, "").check),
        raised(Plan, "", -1, None, 0.1),
        raised(Plan, "", 1, -1, 0.1),
        raised(Plan, "", 1, 1, 2.0),
        raised(Trainings(tmp_path, "").stop, "one"),
    ]
    for error in errors:
        told = tell(error, "ja")
        assert "エラーが起きました" not in told, f"{error} is not among the sentences"
        assert not re.search(r"\{\w+\}", told)
        assert tell(error, "en") == str(error)
    assert "20,001" in tell(errors[0], "ja")
    assert tell(DialogError("something new"), "ja").endswith("something new")
    gaps = [sorted(re.findall(r"\{(\w+)\}", text)) for text in SENTENCES]
    for named, japanese in zip(gaps, SENTENCES.values(), strict=True):
        assert set(re.findall(r"\{(\w+)\}", japanese)) <= set(named)
