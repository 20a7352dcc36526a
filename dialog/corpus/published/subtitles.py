"""OpenSubtitles (Lison and Tiedemann 2016) as OPUS publishes it: a film an XML file, or plain lines.

    <document><s id="1"><time id="T1S" value="00:00:01,000"/>text, or <w>words</w><time id="T1E" value="…"/></s>…

Who speaks is not known: a sentence counts as an answer to the one before it. A film is cut into conversations where
nothing is said for `SILENCE` seconds; plain lines, which have no times, at blank lines, else after `MOST_LINES`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from dialog.conversation import Conversation, Turn
from dialog.corpus.opening import UNPACKING_ERRORS, unpacked
from dialog.corpus.published.material import Found, Material, Tally, missing, text_lines

__all__ = ["MOST_LINES", "SILENCE", "read_subtitles"]

SILENCE = 5.0
MOST_LINES = 20
_TIME = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{1,3})")
_DASH = re.compile(r"^\s*[-–—]\s*")
_LARGEST_FILM = 64 << 20


def read_subtitles(material: Material, tally: Tally) -> Iterator[Found]:
    """Yields the conversations; see `Reader`."""
    films = material.named("*.xml", "*.xml.gz")
    if films:
        for file in films:
            yield from _film(material, file, tally)
        return
    texts = material.named("*.txt", "*.txt.gz") or (material.files if len(material.files) == 1 else ())
    if not texts:
        raise missing("OpenSubtitles", ["XML files of films, or one file of plain lines"], material)
    for file in texts:
        yield from _lines(material, file, tally)


def _film(material: Material, file: Path, tally: Tally) -> Iterator[Found]:
    shown = material.shown(file)
    sentences = _sentences(material, file, tally)
    name = re.sub(r"\.xml(\.gz)?$", "", shown)
    turns: list[Turn] = []
    part, last = 1, None
    for start, end, text in sentences:
        if turns and last is not None and start is not None and start - last >= SILENCE:
            yield Found(None, Conversation(f"{name}#{part}", _alternating(turns)))
            turns, part = [], part + 1
        if text:
            turns.append(Turn("", text))
        last = end if end is not None else start if start is not None else last
    if turns:
        yield Found(None, Conversation(f"{name}#{part}", _alternating(turns)))


def _sentences(
    material: Material, file: Path, tally: Tally
) -> Iterator[tuple[float | None, float | None, str]]:
    """Yields start and end in seconds, where they are known, and the text of each sentence."""
    shown = material.shown(file)
    try:
        with file.open("rb") as packed, unpacked(packed) as stream:
            content = stream.read(_LARGEST_FILM + 1)
        if b"<!ENTITY" in content or len(content) > _LARGEST_FILM:
            tally.note("files that are not read: entities of their own, or larger than 64 MiB", shown)
            return
        document = ElementTree.fromstring(content)
    except (*UNPACKING_ERRORS, OSError, ElementTree.ParseError, ValueError, LookupError) as error:
        tally.note("files that are damaged", f"{shown}: {error}")
        return
    for sentence in document.iter("s"):
        times = [
            time for each in sentence.iter("time") if (time := _seconds(each.get("value", ""))) is not None
        ]
        words = [(word.text or "").strip() for word in sentence.iter("w")]
        text = " ".join(words) if words else " ".join("".join(sentence.itertext()).split())
        tally.found += 1
        text = _DASH.sub("", text)
        if not text:
            tally.lose("a sentence without text", f"{shown}: s {sentence.get('id', '?')}")
        yield (times[0] if times else None), (times[-1] if times else None), text


def _seconds(value: str) -> float | None:
    match = _TIME.search(value)
    if match is None:
        return None
    hours, minutes, seconds, thousandths = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(thousandths.ljust(3, "0")) / 1000


def _alternating(turns: list[Turn]) -> tuple[Turn, ...]:
    return tuple(Turn("AB"[place % 2], turn.text) for place, turn in enumerate(turns))


def _lines(material: Material, file: Path, tally: Tally) -> Iterator[Found]:
    shown = material.shown(file)
    turns: list[Turn] = []
    start = 1
    for number, line in text_lines(material, file, tally):
        text = _DASH.sub("", line).strip()
        if not text or len(turns) == MOST_LINES:
            if turns:
                yield Found(None, Conversation(f"{shown}:{start}", _alternating(turns)))
            turns = []
        if text:
            tally.found += 1
            start = start if turns else number
            turns.append(Turn("", text))
    if turns:
        yield Found(None, Conversation(f"{shown}:{start}", _alternating(turns)))
