"""Words of the tab to chat in."""

__all__ = ["WORDS"]

WORDS: dict[str, dict[str, str]] = {"en": {}, "ja": {}}
