"""The script and the style of the page, read from their files."""

from pathlib import Path

__all__ = ["read_asset"]


def read_asset(name: str) -> str:
    """Returns the text of a file beside this one."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
