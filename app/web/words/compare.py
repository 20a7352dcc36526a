"""Words of the tab to compare in."""

__all__ = ["WORDS"]

WORDS: dict[str, dict[str, str]] = {"en": {}, "ja": {}}
