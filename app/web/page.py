"""The page: a header with the menu of languages, and a tab for each thing that one can do here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.access import gradio_user
from app.bots import Bots
from app.store import Store
from app.web.assets import read_asset
from app.web.chat_tab import build_chat_tab
from app.web.chats import Chats
from app.web.compare_tab import build_compare_tab
from app.web.house import House
from app.web.language import InLanguage
from app.web.words import LANGUAGES, NAMES, label, translations

__all__ = ["TABS", "Tab", "build_page", "mount_page"]


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab of the page.

    Attributes:
        name: `page.NAME` are the words on it; its element's id is `tab-NAME`.
        build: makes its components inside the open Blocks; it may use the Blocks' load event.
    """

    name: str
    build: Callable[[gr.Blocks, House], None]


TABS: tuple[Tab, ...] = (
    Tab("chat", lambda page, house: build_chat_tab(page, house.chats)),
    Tab("compare", lambda page, house: build_compare_tab(house.chats)),
)
"""All tabs, in the order in which they are shown."""


def build_page(bots: Bots, store: Store) -> Any:
    """Returns the page as Gradio Blocks.

    Args:
        bots: who replies.
        store: where chats are kept.
    """
    house = House(bots, store, Chats(bots, store))
    with gr.Blocks(title="dialog", analytics_enabled=False) as page:
        with gr.Row(elem_id="head"):
            gr.Markdown("# dialog", scale=0, min_width=100)
            gr.Markdown(label("page.about"), elem_id="about")
            gr.Markdown(_language_menu(), sanitize_html=False, elem_id="language", min_width=120)
        for tab in TABS:
            with gr.Tab(label(f"page.{tab.name}"), elem_id=f"tab-{tab.name}"):
                tab.build(page, house)
    return page


def _language_menu() -> str:
    # HTML that Markdown passes through: `gr.HTML` evaluates its text as a script, which the page's policy forbids.
    options = "".join(f'<option value="{name}" lang="{name}">{NAMES[name]}</option>' for name in LANGUAGES)
    return f'<select id="language-menu" aria-label="Language · 言語">{options}</select>'


def mount_page(server: Any, bots: Bots, store: Store) -> Any:
    """Puts the page at `/` of a FastAPI application and returns that.

    Args:
        server: the FastAPI application.
        bots: who replies.
        store: where chats are kept.
    """
    page = build_page(bots, store)
    page.queue(default_concurrency_limit=16, max_size=256, api_open=False)
    server.add_middleware(InLanguage, head=f"<script>{read_asset('page.js')}</script>")
    page.run_history = False  # Gradio's own, in the browser or at Hugging Face
    return gr.mount_gradio_app(
        server,
        page,
        path="/",
        show_error=False,
        footer_links=[],
        max_file_size=1,
        i18n=translations(),
        css=read_asset("page.css"),
        auth_dependency=gradio_user,
    )
