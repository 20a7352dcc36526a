"""The tab to compare in: one message to several models, side by side; the reply that is picked goes on."""

from app.web.house import House
from app.web.talk_tab import TalkTab, build_talk_tab

__all__ = ["build_compare_tab"]

_COMPARE = TalkTab(
    "compare", "compare.new", "compare.message", "compare.send", "compare.count", is_comparing=True
)


def build_compare_tab(house: House) -> None:
    """Builds the tab inside the open Blocks."""
    build_talk_tab(house, _COMPARE)
