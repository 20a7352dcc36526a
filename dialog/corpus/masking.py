"""`--mask`: links, mail addresses, phone numbers and people's names become placeholders, in logs of every format.

    <link>   what begins with http://, https://, ftp:// or www., and addresses such as t.me/…
    <mail>   a mail address
    <phone>  7 to 15 digits as people write phone numbers; dates, times and amounts stay
    <name>   a name that the log knows: those who speak, those whom it lists or mentions, and every @mention
    <media>  a picture, a recording or a file (of chat exports, see `chats.cutting`)

A speaker's first name is found in any case, other parts of a name with a capital, and words that are names as well
("Will", "May") with a capital alone. A name that the log does not know stays: masking is a help, no promise. What is
found is counted, so that the report can say it. All of it takes time in proportion to the text.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from dialog.conversation import Conversation, Turn
from dialog.corpus.records import Line, LogFile, LogFormat, Parsed, RawRecord
from dialog.text.normalise import normalise

__all__ = ["MASKED", "PLACEHOLDERS", "Masked", "Masker"]

PLACEHOLDERS = ("<link>", "<mail>", "<phone>", "<name>", "<media>")
"""A tokenizer that is trained on masked texts has a piece for each."""

MASKED = "masked/"
"""What the names of counts begin with."""

_LINK = re.compile(
    r"(?:(?:https?|ftp)://|(?<![A-Za-z0-9])www\.|(?<![\w.@])(?:t\.me|wa\.me|youtu\.be|bit\.ly|goo\.gl|discord\.gg)/)"
    r"[!#-;=?-\[\]^_a-z{|}~\u00a1-\u024f\u0400-\u04ff]+",
    re.IGNORECASE,
)
_AFTER_LINK = ".,;:!?)]}'"
_MAIL = re.compile(
    r"(?<![A-Za-z0-9_.+%-])[A-Za-z0-9_.+%-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"
)
_PHONE = re.compile(r"(?<![\w.,:/-])(?:\+ ?)?\(?\d[\d ()./\-‐-―−－]{5,24}\d(?![\w:/])", re.ASCII)
_DATE = re.compile(
    r"\d{4}[-./]\d{1,2}[-./]\d{1,2}(?: .*)?|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}(?: .*)?|\d{4} ?- ?\d{4}", re.ASCII
)
_AMOUNT = re.compile(r"[1-9]\d{0,2}(?:[ .]\d{3})+|\d{1,9}\.\d+|[1-9]\d{0,8}", re.ASCII)
_MENTION = re.compile(r"(?<![\w@./])@(?!\W)[\w.|-]{1,64}(?<![.|-])")
_WORD = re.compile(r"[^\W_]+")
_EAST_ASIAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_NO_NAMES = frozenset(
    "user assistant system bot tool developer function speaker you me and the of von van der den de del la le los da "
    "dos bin ibn al el di mr mrs ms dr deleted account unknown anonymous".split()
)
_ALSO_WORDS = frozenset(
    "will mark may rose hope grace bill art joy sunny summer april june august dawn faith jack rob pat sue ray rich "
    "max miles chase dean drew grant guy hunter josh lance nick olive pearl penny ruby sandy skip violet autumn baron "
    "brook chip cliff dale daisy earl eve forest frank gene hazel heath iris ivy jade jasmine lily mason melody norm "
    "page peg pierce reed robin rusty savannah sky stone terry tony victor wade mom mum dad papa mama love home work "
    "angel baby honey boss new old the good best test group chat team office support info".split()
)


@dataclass(frozen=True, slots=True)
class Masked:
    """A log format whose texts are masked.

    Attributes:
        inner: the format.
        known: names of people that the whole file knows.
    """

    inner: LogFormat
    known: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The word that `--format` takes."""
        return self.inner.name

    @property
    def details(self) -> tuple[str, ...]:
        """What was found out about the file's layout."""
        return getattr(self.inner, "details", ())

    def records(self, file: LogFile, lines: Iterator[Line]) -> Iterator[RawRecord]:
        """Yields the records of the format."""
        return self.inner.records(file, lines)

    def parse(self, record: RawRecord, name: str) -> Parsed:
        """Makes a masked conversation of a record; its id is masked as well, for files are named after people."""
        parsed = self.inner.parse(record, name)
        conversation = parsed.conversation
        speakers = frozenset() if parsed.roles else {turn.speaker for turn in conversation.turns}
        masker = _masker(self.known if speakers <= self.known else self.known | speakers)
        found: Counter[str] = Counter(parsed.counts)
        turns = tuple(Turn(turn.speaker, masker.mask(turn.text, found)) for turn in conversation.turns)
        id_ = masker.mask(conversation.id, Counter())
        return replace(parsed, conversation=Conversation(id_, turns), counts=found)


@lru_cache(maxsize=64)
def _masker(names: frozenset[str]) -> "Masker":
    return Masker(names)


class Masker:
    """Replaces what is private in a text.

    Args:
        names: of people.
    """

    def __init__(self, names: Iterable[str]) -> None:
        # By the first run of letters of each: what follows it in full, and whether any case will do.
        self._by_first: dict[str, list[tuple[str, bool]]] = {}
        self._by_two: dict[str, list[str]] = {}
        for name in sorted({normalise(name).strip().lstrip("@~").strip() for name in names}):
            self._add(name)
        for spelled in self._by_first.values():
            spelled.sort(key=lambda each: -len(each[0]))
        for asian in self._by_two.values():
            asian.sort(key=len, reverse=True)

    def _add(self, name: str) -> None:
        if len(name) < 2 or name.casefold() in _NO_NAMES or not any(letter.isalpha() for letter in name):
            return
        if _EAST_ASIAN.search(name):
            for part in {name, *name.split()}:
                if len(part) > 1:
                    self._by_two.setdefault(part[:2], []).append(part)
            return
        words = list(_WORD.finditer(name))
        if not words:
            return
        whole = name[words[0].start() :]
        is_plain = whole.casefold() in _ALSO_WORDS
        self._spell(whole, any_case=not is_plain and len(whole) > 2)
        parts = [part.strip("()[]\"'.,") for part in name.split()]
        for place, part in enumerate(parts if len(parts) > 1 else ()):
            if len(part) > 2 and part.casefold() not in _NO_NAMES and part[:1].isupper():
                self._spell(part, any_case=place == 0 and part.casefold() not in _ALSO_WORDS)

    def _spell(self, spelled: str, any_case: bool) -> None:
        first = _WORD.match(spelled)
        if first is not None:
            self._by_first.setdefault(first[0].casefold(), []).append((spelled, any_case))

    def mask(self, text: str, counts: Counter[str]) -> str:
        """Returns the text with placeholders; as it was where nothing is found.

        Args:
            text: of a turn.
            counts: is added to, as MASKED and the kind.
        """
        plain = normalise(text)
        masked = plain
        for kind, pattern in (("link", _LINK), ("mail", _MAIL), ("phone", _PHONE)):
            masked = self._replace(masked, kind, pattern, counts)
        masked = self._names(masked, counts)
        masked = self._replace(masked, "name", _MENTION, counts)
        counts_media(plain, counts)
        return text if masked == plain else masked

    def _replace(self, text: str, kind: str, pattern: re.Pattern[str], counts: Counter[str]) -> str:
        def placeholder(found: re.Match[str]) -> str:
            whole = found[0]
            if kind == "phone" and not _is_phone(whole):
                return whole
            counts[f"{MASKED}{kind}"] += 1
            rest = whole[len(whole.rstrip(_AFTER_LINK)) :] if kind == "link" else ""
            return f"<{kind}>{rest}"

        return pattern.sub(placeholder, text)

    def _names(self, text: str, counts: Counter[str]) -> str:
        spans = [*self._spans(text), *self._asian_spans(text)] if self._by_first or self._by_two else []
        if not spans:
            return text
        out: list[str] = []
        at = 0
        for start, end in sorted(spans):
            if start < at:
                continue
            if start and text[start - 1] == "@" and start - 1 >= at:
                start -= 1
            out += [text[at:start], "<name>"]
            at = end
            counts[f"{MASKED}name"] += 1
        return "".join([*out, text[at:]])

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        for word in _WORD.finditer(text):
            start = word.start()
            if start and text[start - 1] == "<" and text[word.end() : word.end() + 1] == ">":
                continue  # a placeholder
            for spelled, any_case in self._by_first.get(word[0].casefold(), ()):
                end = start + len(spelled)
                there = text[start:end]
                fits = there == spelled or (any_case and there.casefold() == spelled.casefold())
                if fits and not (end < len(text) and (text[end].isalnum() or text[end] == "_")):
                    yield start, end
                    break

    def _asian_spans(self, text: str) -> Iterator[tuple[int, int]]:
        if not self._by_two:
            return
        at = 0
        while at < len(text) - 1:
            name = next(
                (name for name in self._by_two.get(text[at : at + 2], ()) if text.startswith(name, at)), None
            )
            if name is not None:
                yield at, at + len(name)
            at += len(name) if name is not None else 1


def counts_media(text: str, counts: Counter[str]) -> None:
    """Counts the placeholders that stand for media."""
    if "<media>" in text:
        counts[f"{MASKED}media"] += text.count("<media>")


def _is_phone(whole: str) -> bool:
    digits = sum(character.isdigit() for character in whole)
    if not 7 <= digits <= 15 or whole.count("(") != whole.count(")") or _DATE.fullmatch(whole):
        return False
    return whole.startswith("+") or not _AMOUNT.fullmatch(whole)
