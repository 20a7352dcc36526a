"""The script of the page, with the words that it says itself."""

import json

from app.web.assets import read_asset
from app.web.words import LANGUAGES, all_words

__all__ = ["page_head"]

_SAID = (
    "cancel",
    "conversation",
    "copied",
    "correction",
    "delete_question",
    "delete_sure",
    "imported",
    "new_title",
    "open_list",
    "save",
    "send_edit",
)


def page_head() -> str:
    """Returns what stands in the page's head: the script, after its words in all languages."""
    words = {language: {key: all_words(language)[f"chat.{key}"] for key in _SAID} for language in LANGUAGES}
    told = json.dumps(words, ensure_ascii=False).replace("</", "<\\/")
    script = read_asset("page.js")
    return (
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<script>window.hredWords = {told};</script><script>{script}</script>"
    )
