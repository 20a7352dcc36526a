r"""ParlAI's numbered lines, in which PersonaChat (Zhang et al. 2018) and ConvAI2 (Dinan et al. 2019) are published.

    1 your persona: i only eat kosher.
    2 hello , how are you ?\tfine , and you ?\t\ta candidate|another candidate

A number 1 begins a conversation. After the number stand what A says, what B answers, a reward (empty) and candidates.
The archives hold the same conversations several times, with the persona of one side, of the other, of both or of none,
original or revised: for each split one file is read.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from dialog.conversation import Conversation, Turn
from dialog.corpus.published.material import Found, Material, Tally, missing, text_lines

__all__ = ["read_numbered"]

_LINE = re.compile(r"(\d+) (.*)", re.DOTALL)
_PERSONA = ("your persona:", "partner's persona:")
_SILENCE = "__SILENCE__"
_PREFERRED = ("none_original", "self_original", "both_original", "other_original", "revised")


def read_numbered(material: Material, tally: Tally) -> Iterator[Found]:
    """Yields the conversations; see `Reader`."""
    files = [file for file in material.named("*.txt") if _is_numbered(material, file)]
    if not files:
        raise missing(
            "PersonaChat or ConvAI2", ["train_none_original.txt or another file of numbered lines"], material
        )
    by_split: dict[str | None, list[Path]] = {}
    for file in files:
        by_split.setdefault(material.split_of(file), []).append(file)
    for split, same in by_split.items():
        chosen = min(same, key=_rank)
        for other in same:
            if other != chosen:
                tally.note("files with the same conversations and other personas", material.shown(other))
        yield from _conversations(material, chosen, split, tally)


def _rank(file: Path) -> tuple[int, bool, str]:
    name = file.name.lower()
    place = next((place for place, word in enumerate(_PREFERRED) if word in name), len(_PREFERRED))
    return place, "no_cands" not in name, name


def _is_numbered(material: Material, file: Path) -> bool:
    first = next(text_lines(material, file, Tally()), (0, ""))[1]
    return first.startswith("1 ")


def _conversations(material: Material, file: Path, split: str | None, tally: Tally) -> Iterator[Found]:
    shown = material.shown(file)
    turns: list[Turn] = []
    start = 0
    for number, line in text_lines(material, file, tally):
        match = _LINE.fullmatch(line)
        if match is None:
            if line.strip():
                tally.note("lines without a number", f"{shown}:{number}")
            continue
        if int(match[1]) == 1:
            if turns:
                yield Found(split, Conversation(f"{shown}:{start}", tuple(turns)))
            turns, start = [], number
        if match[2].startswith(_PERSONA):
            tally.note("lines of personas", f"{shown}:{number}")
            continue
        for speaker, text in zip("AB", match[2].split("\t")[:2], strict=False):
            tally.found += 1
            if text.strip() in ("", _SILENCE):
                tally.lose("nothing said (empty or __SILENCE__)", f"{shown}:{number}")
            else:
                turns.append(Turn(speaker, text))
    if turns:
        yield Found(split, Conversation(f"{shown}:{start}", tuple(turns)))
