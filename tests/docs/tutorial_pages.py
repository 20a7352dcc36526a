"""Reads the pages of the tutorial: their fenced blocks, and the commands in these."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs/tutorial"
LANGUAGES = ("en", "ja")

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SOURCE = re.compile(r"\]\(\.\./\.\./\.\./([\w/]+\.py)\)[^\n]*\n\n$")
_IMAGE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")
_LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its kind (`sh`, `python`, `text`), its text, and the file that it says to be of."""

    kind: str
    text: str
    source: str | None


def pages(language: str) -> list[Path]:
    """Returns the pages in the order in which they are read."""
    return [TUTORIAL / language / "README.md", *sorted((TUTORIAL / language).glob("[0-9]*.md"))]


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for fence in _FENCE.finditer(text):
        named = _SOURCE.search(text[: fence.start()])
        found.append(Block(fence[1], fence[2], named[1] if named else None))
    return found


def commands(page: Path) -> list[list[str]]:
    """Returns the commands of a page as words, in their order."""
    shell = "".join(block.text for block in blocks(page) if block.kind == "sh")
    return [shlex.split(line) for line in shell.replace("\\\n", " ").splitlines() if line.strip()]


def images(page: Path) -> list[str]:
    return _IMAGE.findall(page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Returns what the page links to, images counted, the addresses of the web left out."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return [link for link in _LINK.findall(text) if "://" not in link]
