"""The scripts of the page, with the words that they say themselves."""

import json

from app.web.assets import read_asset
from app.web.words import LANGUAGES, all_words

__all__ = ["page_head"]

_SAID = (
    "cancel",
    "close",
    "connected_again",
    "connection_lost",
    "conversation",
    "copied",
    "correction",
    "delete_question",
    "delete_sure",
    "imported",
    "new_title",
    "open_list",
    "refused",
    "save",
    "send_edit",
    "unreachable",
)
_OPENED = ("why",)
"""Tabs that a button of another tab opens."""
_SCRIPTS = ("page.js", "search.js", "connection.js", "models.js")
"""In their order: the others use what the first one offers."""


def page_head() -> str:
    """Returns what stands in the page's head: the scripts, after their words in all languages."""
    words = {}
    for language in LANGUAGES:
        known = all_words(language)
        words[language] = {key: known[f"chat.{key}"] for key in _SAID}
        words[language] |= {f"tab_{tab}": known[f"page.{tab}"] for tab in _OPENED}
    told = json.dumps(words, ensure_ascii=False).replace("</", "<\\/")
    scripts = "".join(f"<script>{read_asset(name)}</script>" for name in _SCRIPTS)
    return (
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<script>window.hredWords = {told};</script>{scripts}"
    )
