"""Whom a page proposes to talk to: the models of the reader's language, and two at least to compare."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.web.model_menu import model_menu
from app.web.talk_tab import TalkTab, _for_reader

SHIPPED = ["seq2seq", "hred", "seq2seq-ja", "hred-ja"]


@pytest.mark.parametrize(
    ("names", "accepted", "chosen", "proposed", "compared"),
    [
        (SHIPPED, "ja,en;q=0.5", None, "hred-ja", ["seq2seq-ja", "hred-ja"]),
        (SHIPPED, "de", None, "hred", ["seq2seq", "hred"]),
        (SHIPPED, "en", "ja", "hred-ja", ["seq2seq-ja", "hred-ja"]),
        (["seq2seq", "hred-ja"], "ja", None, "hred-ja", ["seq2seq", "hred-ja"]),
        (["mine"], "ja", None, "mine", ["mine"]),
    ],
)
def test_a_page_proposes_the_models_of_its_readers_language(
    names, accepted, chosen, proposed, compared, monkeypatch
) -> None:
    monkeypatch.setattr("app.shipped.shipped_models", lambda: dict.fromkeys(SHIPPED, Path("run")))
    house: Any = SimpleNamespace(bots=SimpleNamespace(names=names))
    cookies = {} if chosen is None else {"hred_language": chosen}
    request: Any = SimpleNamespace(cookies=cookies, headers={"accept-language": accepted})
    told = [
        _for_reader(house, TalkTab(kind, "", "", "", "", is_comparing))(request)
        for kind, is_comparing in (("chat", False), ("compare", True))
    ]
    assert [update["value"] for (update,) in told] == [proposed, compared]


def test_a_page_that_was_told_nothing_yet_asks_the_models_of_english_alone(monkeypatch) -> None:
    monkeypatch.setattr("app.shipped.shipped_models", lambda: dict.fromkeys(SHIPPED, Path("run")))
    assert model_menu(SHIPPED, multiselect=True).value == ["seq2seq", "hred"]
    assert model_menu(SHIPPED[::-1]).value == "hred"
    assert model_menu(["mine", "hred-ja"], multiselect=True).value == ["mine", "hred-ja"]
