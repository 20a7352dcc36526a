"""The page: a tab to chat, a tab to compare, the list of chats beside them."""

from typing import Any

import gradio as gr

from app.bots import Bots
from app.store import Store
from app.web.chat_tab import build_chat_tab
from app.web.chats import Chats
from app.web.compare_tab import build_compare_tab

__all__ = ["STYLE", "build_page", "mount_page"]

STYLE = """
.how { opacity: .65; font-size: .78em; }
#sessions .wrap { flex-direction: column; flex-wrap: nowrap; max-height: 45vh; overflow-y: auto; }
#sessions label { width: 100%; }
#sessions label span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
footer { display: none !important; }
button[aria-label="Clear"] { display: none; }
"""


def build_page(bots: Bots, store: Store) -> Any:
    """Returns the page as Gradio Blocks.

    Args:
        bots: who replies.
        store: where chats are kept.
    """
    chats = Chats(bots, store)
    with gr.Blocks(title="dialog", analytics_enabled=False) as page:
        gr.Markdown(
            "# dialog\nSmall models that learned to talk from conversations. They know no facts and "
            "make things up; what you write stays on this machine."
        )
        with gr.Tab("Chat", elem_id="tab-chat"):
            build_chat_tab(page, chats)
        with gr.Tab("Compare", elem_id="tab-compare"):
            build_compare_tab(chats)
    return page


def mount_page(server: Any, bots: Bots, store: Store) -> Any:
    """Puts the page at `/` of a FastAPI application and returns that.

    Args:
        server: the FastAPI application.
        bots: who replies.
        store: where chats are kept.
    """
    page = build_page(bots, store)
    page.queue(default_concurrency_limit=16, max_size=256)
    return gr.mount_gradio_app(
        server, page, path="/", show_error=False, footer_links=[], max_file_size=1, css=STYLE
    )
