"""The search of the page: the chats that hold a text, drawn.

It is no event of Gradio's. There the answer to a half-typed word can come after that to the whole one, for events run
beside one another, and the answer of any other event, which lists all chats, writes over what was found. So the page's
script asks a route of its own (`POST /chats/search`), shows what was found in an element that nothing else writes to,
and takes no answer but that to its last question.
"""

from collections.abc import Callable
from typing import Any

from app.store import Store
from app.web.drawing import draw_sessions, escape
from app.web.language import language_of
from app.web.words.sentences import tell
from dialog.errors import DialogError

__all__ = ["finder"]


def finder(store: Store) -> Callable[[Any, str, str, str, str], str]:
    """Returns what draws the chats that a search finds.

    Args:
        store: where chats are kept; temporary ones are not searched.
    """

    def find(request: Any, owner: str, tab: str, text: str, shown: str) -> str:
        """Returns HTML: each chat of that tab with the newest message that holds the text, or a sentence."""
        language = language_of(request)
        hits: dict[str, str] = {}
        try:
            for hit in store.search(owner, text):
                hits.setdefault(hit.session_id, hit.text)
            found = [(store.session(owner, session_id), said) for session_id, said in hits.items()]
        except DialogError as error:
            return f'<p class="none">{escape(tell(error, language))}</p>'
        of_tab = [(session, said) for session, said in found if session.kind == tab]
        sessions, texts = [session for session, _ in of_tab], [said for _, said in of_tab]
        return draw_sessions(sessions, shown, language, texts)

    return find
