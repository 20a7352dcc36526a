"""Mail in an mbox file: each thread is a conversation, a mail a turn, in the order of their dates.

Threads follow References and In-Reply-To (RFC 5322), Gmail's own number of the thread, and the subject of a mail that
begins with "Re:" and names no mail. Mails are parsed one by one and their own words alone are held until the
file is read, for a thread can go on anywhere in it: memory grows with the words, not with attachments.
"""

import email.header
import email.message
import email.parser
import email.policy
import email.utils
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dialog.corpus.chats.mail_text import html_text, own_words
from dialog.corpus.chats.message import Item, LeftOut, Message, Met
from dialog.corpus.records import Line, LogFile

__all__ = ["Mbox", "is_mbox"]

_FROM = re.compile(rb"From \S{1,320}\s.{0,40}\d{1,2}:\d{2}.{0,40}|From .{1,400}\d{4}\s*")
_FIELD = re.compile(rb"[!-9;-~]{1,80}:|>?From ")
_IDS = re.compile(r"<[^<>\s]{1,500}>")
_RE = re.compile(
    r"(?:(?:re|aw|sv|antw|antwort|vs|ref|res|r|fwd?|wg|tr|rv|返信|転送)(?:\[\d{1,3}\])?\s?[:：]\s*)+",
    re.IGNORECASE,
)
_MOST_PARTS = 100
_LONGEST_HEADER = 20_000


@dataclass(frozen=True, slots=True)
class Mbox:
    """The format `mbox`."""

    details: tuple[str, ...] = ()
    name: str = "mbox"
    roles: bool = False

    def read(self, file: LogFile, lines: Iterator[Line]) -> Iterator[Item]:
        """Yields the mails, thread by thread, threads in the order of their first mails in the file."""
        threads = _Threads()
        for number, raw, is_cut in _mails(lines, file.max_line_bytes):
            if is_cut:
                yield Met("mail longer than --max-line-mib: read up to there")
            found = _read_mail(number, raw)
            if isinstance(found, LeftOut):
                yield found
                continue
            if found.num_cut:
                yield Met("line of quoted mail or signature cut", found.num_cut)
            threads.add(found)
        for stream, thread in enumerate(threads.all()):
            for mail in thread:
                yield Message(
                    mail.line,
                    mail.time,
                    mail.speaker,
                    mail.text,
                    str(stream),
                    thread=str(stream),
                    media=mail.media,
                )

    def names(self, file: LogFile) -> Iterable[str]:
        """Names of those whom mails went to, and the addresses' own parts of those who have none."""
        for _, raw, _ in _mails(file.lines(), file.max_line_bytes):
            head, _, _ = raw.partition(b"\n\n")
            try:
                parsed = email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes(head)
                fields = [_decoded(str(value)) for key in ("to", "cc") for value in parsed.get_all(key, [])]
                yield from (name for name, _ in email.utils.getaddresses(fields) if name)
            except Exception:  # the library raises many kinds of errors for damaged mail
                continue


def is_mbox(sample: bytes) -> bool:
    """Whether a file begins with a mail: its `From ` line, then a header field."""
    lines = sample.split(b"\n", 2)
    return len(lines) > 1 and bool(_FROM.fullmatch(lines[0].rstrip(b"\r"))) and bool(_FIELD.match(lines[1]))


@dataclass(slots=True)
class _Mail:
    """What is held of a mail."""

    line: int
    time: float | None
    speaker: str
    text: str
    media: bool
    num_cut: int
    id: str
    answers: list[str]
    gmail_thread: str
    subject: str
    is_reply: bool


def _mails(lines: Iterator[Line], most_bytes: int) -> Iterator[tuple[int, bytes, bool]]:
    """Line, bytes, and whether it was cut, of each mail."""
    start, size, is_cut = 0, 0, False
    parts: list[bytes] = []
    was_blank = True
    for line in lines:
        content = line.content
        if content is not None and was_blank and content.startswith(b"From ") and _FROM.fullmatch(content):
            if start:
                yield start, b"\n".join(parts), is_cut
            start, size, is_cut, parts = line.number, 0, False, []
            was_blank = False
            continue
        start = start or line.number
        was_blank = content is not None and not content.strip()
        size += 0 if content is None else len(content) + 1
        if content is None or size > most_bytes:
            is_cut = True
        else:
            parts.append(content[1:] if content.startswith(b">From ") else content)
    if start:
        yield start, b"\n".join(parts), is_cut


def _read_mail(line: int, raw: bytes) -> _Mail | LeftOut:
    if raw.count(b"boundary=") > _MOST_PARTS:  # the library would take long over parts within parts
        return LeftOut("damaged mail")
    try:
        return _parsed(line, email.parser.BytesParser(policy=email.policy.compat32).parsebytes(raw))
    except Exception:  # the library raises many kinds of errors for damaged mail
        return LeftOut("damaged mail")


def _parsed(line: int, mail: email.message.Message) -> _Mail | LeftOut:
    senders = email.utils.getaddresses([_decoded(str(value)) for value in mail.get_all("from", [])][:1])
    name, address = next(((name, address) for name, address in senders if name or address), ("", ""))
    if not (name or address):
        return LeftOut("mail without a sender")
    text, media = _body(mail)
    words, num_cut = own_words(text)
    subject = _decoded(str(mail.get("subject", "")))
    bare = _RE.sub("", subject, count=1) if _RE.match(subject) else subject
    ids = _IDS.findall(str(mail.get("message-id", ""))[:_LONGEST_HEADER])
    answers = [
        each
        for key in ("references", "in-reply-to")
        for value in mail.get_all(key, [])
        for each in _IDS.findall(str(value)[:_LONGEST_HEADER])
    ]
    return _Mail(
        line,
        _time(str(mail.get("date", ""))),
        " ".join(name.split()) or address,
        words,
        media,
        num_cut,
        ids[0] if ids else "",
        answers,
        str(mail.get("x-gm-thrid", "")).strip(),
        " ".join(bare.split()).casefold(),
        bare != subject,
    )


def _decoded(value: str) -> str:
    """A header's value, with its encoded words read."""
    value = value[:_LONGEST_HEADER]
    try:
        return str(email.header.make_header(email.header.decode_header(value)))
    except (ValueError, LookupError, UnicodeError):
        return value


def _time(value: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(value[:200]).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _body(mail: email.message.Message) -> tuple[str, bool]:
    """The text, and whether anything is attached."""
    plain: list[str] = []
    html: list[str] = []
    media = False
    for part in mail.walk():
        if part.is_multipart():
            continue
        kind, where = part.get_content_type(), part.get_content_disposition()
        if where == "attachment" or not kind.startswith("text/"):
            media = media or kind not in ("application/pgp-signature", "application/pkcs7-signature")
        elif kind == "text/html":
            html.append(_text(part))
        elif kind == "text/plain":
            plain.append(_text(part))
    text = "\n".join(plain)
    return (text if text.strip() else "\n".join(map(html_text, html))), media


def _text(part: email.message.Message) -> str:
    payload = part.get_payload(decode=True)
    data = (
        payload if isinstance(payload, bytes) else str(part.get_payload()).encode("utf-8", "surrogateescape")
    )
    charset = (part.get_content_charset() or "utf-8").strip("'\"")
    for name in (charset, "utf-8"):
        try:
            return data.decode(name)
        except (LookupError, UnicodeError, ValueError):
            continue
    return data.decode("cp1252", "replace")


class _Threads:
    """Which mails belong together: sets that are joined by the ids that mails name."""

    def __init__(self) -> None:
        self._mails: list[_Mail] = []
        self._parent: dict[str, str] = {}

    def add(self, mail: _Mail) -> None:
        """Adds a mail; joins it with all that it names."""
        own = f"line {len(self._mails)}"
        self._mails.append(mail)
        keys = [key for key in (mail.id, *mail.answers) if key]
        if mail.gmail_thread:
            keys.append(f"gmail {mail.gmail_thread}")
        for key in keys:
            self._join(own, key)
        if mail.subject and (not mail.is_reply or not (mail.answers or mail.gmail_thread)):
            # The first mail of a subject, and answers that do not say to what, are found by it.
            subject = f"subject {mail.subject}"
            if mail.is_reply:
                self._join(own, subject)
            elif subject not in self._parent:
                self._join(subject, own)

    def all(self) -> list[list[_Mail]]:
        """The threads, each in the order of its dates; a mail without a date stays behind the one before it."""
        threads: dict[str, list[_Mail]] = {}
        for place, mail in enumerate(self._mails):
            threads.setdefault(self._root(f"line {place}"), []).append(mail)
        return [_by_date(thread) for thread in threads.values()]

    def _root(self, key: str) -> str:
        self._parent.setdefault(key, key)
        while self._parent[key] != key:
            self._parent[key] = self._parent[self._parent[key]]
            key = self._parent[key]
        return key

    def _join(self, one: str, other: str) -> None:
        first, second = self._root(one), self._root(other)
        if first != second:
            self._parent[second] = first


def _by_date(thread: list[_Mail]) -> list[_Mail]:
    time = float("-inf")
    keyed: list[tuple[float, int, _Mail]] = []
    for place, mail in enumerate(thread):
        time = mail.time if mail.time is not None else time
        keyed.append((time, place, mail))
    return [mail for _, _, mail in sorted(keyed, key=lambda each: each[:2])]
