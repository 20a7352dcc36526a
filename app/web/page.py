"""The page: a header with the menu of languages, and a tab for each thing that one can do here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.access import gradio_user, user_of
from app.bots import Bots
from app.settings import Settings
from app.store import Store, TemporaryStore
from app.trainings import Trainings
from app.web.assets import read_asset
from app.web.battle_tab import build_battle_tab
from app.web.blocks import Page, no_app_yet
from app.web.chat_tab import build_chat_tab
from app.web.chats import Chats
from app.web.compare_tab import build_compare_tab
from app.web.data_panel import build_data_panel
from app.web.drawing import draw_menus
from app.web.house import Greeting, House
from app.web.language import LANGUAGE_COOKIE, InLanguage, language_of
from app.web.latent_tab import build_latent_tab
from app.web.model_menu import follow
from app.web.models_tab import build_models_tab
from app.web.script import page_head
from app.web.why_tab import build_why_tab
from app.web.words import LANGUAGES, label, translations
from dialog.errors import DialogError

__all__ = ["TABS", "Tab", "build_page", "mount_page"]


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab of the page.

    Attributes:
        name: `page.NAME` are the words on it; its element's id is `tab-NAME`.
        build: makes its components inside the open Blocks; it may use `House.page`.
    """

    name: str
    build: Callable[[House], None]


TABS: tuple[Tab, ...] = (
    Tab("chat", build_chat_tab),
    Tab("compare", build_compare_tab),
    Tab("battle", build_battle_tab),
    Tab("latent", build_latent_tab),
    Tab("why", build_why_tab),
    Tab("models", build_models_tab),
)
"""All tabs, in the order in which they are shown."""


def build_page(
    bots: Bots,
    store: Store,
    temporary: TemporaryStore | None = None,
    trainings: Trainings | None = None,
) -> Any:
    """Returns the page as Gradio Blocks.

    Args:
        bots: who replies.
        store: where chats are kept.
        temporary: where those are that shall not be kept; all are kept without.
        trainings: that the page lists and starts; those of the environment's settings without.
    """
    if trainings is None:
        settings = Settings.from_environment()
        trainings = Trainings(settings.runs_folder, settings.database_url)
    with Page(title="dialog", analytics_enabled=False) as page:
        house = House(bots, store, Chats(bots, store, temporary), trainings, page)
        with gr.Row(elem_id="head"):
            gr.Markdown("# dialog", elem_id="name", min_width=90)
            gr.Markdown(label("page.about"), elem_id="about", min_width=200)
            menus = gr.Markdown("", sanitize_html=False, elem_id="menus", min_width=260)
        for tab in TABS:
            with gr.Tab(label(f"page.{tab.name}"), elem_id=f"tab-{tab.name}"):
                tab.build(house)
        build_data_panel(house)
        house.greetings.append(Greeting(_menus(house), [menus]))
        house.greet()
    bots.watch(lambda: follow(page, house.menus, lambda: bots.names))
    return page


def _menus(house: House) -> Callable[[gr.Request], tuple[str]]:
    def drawn(request: gr.Request) -> tuple[str]:
        language = language_of(request)
        cookie = request.cookies.get(LANGUAGE_COOKIE)
        try:
            owner = house.chats.owner(request)
            kept = house.chats.keep_language(owner, cookie if cookie in LANGUAGES else None)
        except DialogError:
            kept = None
        return (draw_menus(language, kept, user_of(request)),)

    return drawn


def _theme() -> Any:
    """Returns calm colours, and the system's own letters: none are loaded from elsewhere."""
    fonts = ("system-ui", "-apple-system", "Hiragino Sans", "Noto Sans CJK JP", "Noto Sans JP", "sans-serif")
    return gr.themes.Default(
        primary_hue="teal", secondary_hue="teal", neutral_hue="slate", radius_size="lg", font=fonts
    )


def mount_page(
    server: Any,
    bots: Bots,
    store: Store,
    temporary: TemporaryStore | None = None,
    trainings: Trainings | None = None,
) -> Any:
    """Puts the page at `/` of a FastAPI application and returns that.

    Args:
        server: the FastAPI application.
        bots: who replies.
        store: where chats are kept.
        temporary: as in `build_page`.
        trainings: as in `build_page`.
    """
    with no_app_yet():
        page = build_page(bots, store, temporary, trainings)
        page.queue(default_concurrency_limit=16, max_size=256, api_open=False)
    server.add_middleware(InLanguage, head=page_head())
    page.run_history = False  # Gradio's own, in the browser or at Hugging Face
    return gr.mount_gradio_app(
        server,
        page,
        path="/",
        show_error=False,
        footer_links=[],
        max_file_size=1,
        i18n=translations(),
        css=read_asset("page.css") + read_asset("why.css"),
        auth_dependency=gradio_user,
        theme=_theme(),
    )
