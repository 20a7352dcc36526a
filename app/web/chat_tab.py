"""The tab to chat in: one model at a time, streamed, stopped, told again, edited, rated, kept."""

from app.web.house import House
from app.web.talk_tab import TalkTab, build_talk_tab

__all__ = ["build_chat_tab"]

_CHAT = TalkTab("chat", "chat.new", "chat.message", "chat.send", "chat.count", is_comparing=False)


def build_chat_tab(house: House) -> None:
    """Builds the tab inside the open Blocks."""
    build_talk_tab(house, _CHAT)
