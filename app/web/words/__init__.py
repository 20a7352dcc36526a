"""All words of the page, in English and in Japanese: one module a tab, each with `WORDS`.

A key is the module's name and the key in it: `chat.send` is `WORDS[language]["send"]` of `chat.py`. `say` gives a
sentence of the server; `label` marks a component's label, which the browser fills in (`gr.I18n`), so that one
page serves both languages. Which language is meant is told by `app.web.language`.
"""

from typing import Any

import gradio as gr

from app.web.words import battle, chat, compare, controls, data, latent, models, page, show, why

__all__ = ["LANGUAGES", "NAMES", "all_words", "label", "say", "translations"]

LANGUAGES = ("en", "ja")
"""The page's languages; what is not known is shown in the first."""

NAMES = {"en": "English", "ja": "日本語"}

_TABS: dict[str, dict[str, dict[str, str]]] = {
    "page": page.WORDS,
    "controls": controls.WORDS,
    "chat": chat.WORDS,
    "compare": compare.WORDS,
    "battle": battle.WORDS,
    "latent": latent.WORDS,
    "why": why.WORDS,
    "models": models.WORDS,
    "show": show.WORDS,
    "data": data.WORDS,
}
"""A tab adds its words here."""


def all_words(language: str) -> dict[str, str]:
    """Returns each key with its words in a language."""
    return {f"{tab}.{key}": text for tab, words in _TABS.items() for key, text in words[language].items()}


_ALL = {language: all_words(language) for language in LANGUAGES}
_I18N = gr.I18n(**_ALL)


def say(key: str, language: str, **values: object) -> str:
    """Returns a sentence, its `{names}` filled in with `values`; not escaped.

    Args:
        key: such as `chat.send`.
        language: one of `LANGUAGES`; another counts as the first.
        values: what stands for the names in braces.

    Raises:
        KeyError: there is no such key.
    """
    text = _ALL.get(language, _ALL[LANGUAGES[0]])[key]
    return text.format(**values) if values else text


def label(key: str) -> Any:
    """Returns a mark for a component's label, placeholder, choice or text; the browser shows its words.

    Raises:
        KeyError: there is no such key.
    """
    if key not in _ALL[LANGUAGES[0]]:
        raise KeyError(key)
    return _I18N(key)


def translations() -> Any:
    """Returns what Gradio is mounted with."""
    return _I18N
