"""The words that the writer of a mail wrote: without what is quoted, without signature, without HTML.

Cut are lines that begin with `>` and the line that introduces them ("On … Anna wrote:"), everything from a
forwarded or full-quoted mail's header on ("-----Original Message-----", a block of From/Sent/To/Subject), everything
from the signature's mark `-- ` or a mailing list's rule on, and the advertisement of a phone.
"""

import re
from html import unescape

__all__ = ["html_text", "own_words"]

_INTRODUCTION = re.compile(
    r"(?:wrote|writes|said|schrieb|écrit|escribió|scritto|escreveu|schreef|skrev|napisał\(?a?\)?|kirjoitti|написал"
    r"|さんは書きました|のメール|wrote on [^:\n]{1,60})[^:：\n]{0,100}[:：]\s*$"
    r"|^\d{4}[年/-][^\n]{1,120}[:：]\s*$|@[^\s<>]{1,200}>?[^\n:]{0,60}[:：]\s*$"
)
_FULL_QUOTE = re.compile(
    r"\s*(?:[-_]{2,}\s?(?:Original Message|Forwarded message|Begin forwarded message|Ursprüngliche Nachricht"
    r"|Weitergeleitete Nachricht|Message d'origine|Mensaje original|Messaggio originale|Mensagem original"
    r"|Oorspronkelijk bericht|Original-Nachricht|元のメッセージ|転送メッセージ)\s?:?[-_]{0,20}"
    r"|Begin forwarded message:|_{20,})\s*",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"\s*\*?(?:From|Von|De|Da|Van|Fra|Från|差出人|Sent|Gesendet|Envoyé|Enviado|Date|Datum|送信日時|To|An|À|Para|宛先|"
    r"Subject|Betreff|Objet|Asunto|件名)\s?[:：]\*?\s",
    re.IGNORECASE,
)
_PHONE = re.compile(
    r"\s*(?:Sent from (?:my|Mail for|Outlook|Yahoo)|Get Outlook for|Von meinem .{1,40} gesendet|Gesendet mit der"
    r"|Envoyé de mon|Enviado desde mi|Inviato da|Verstuurd vanaf|.{0,20}から送信)[^\n]{0,80}",
    re.IGNORECASE,
)
_LIST_RULE = re.compile(r"_{30,}|-{30,}")
_TAG = re.compile(
    r"""<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})(?:[^<>"']|"[^"<]{0,2000}"|'[^'<]{0,2000}')*>|<[!?/][^<>]*>"""
)
_BLOCKS = {
    "p",
    "div",
    "br",
    "tr",
    "li",
    "table",
    "ul",
    "ol",
    "h1",
    "h2",
    "h3",
    "h4",
    "blockquote",
    "hr",
    "pre",
}
_UNSEEN = {"script", "style", "head", "title", "blockquote", "template"}


def own_words(text: str) -> tuple[str, int]:
    """Cuts a mail's text.

    Returns:
        The words, and how many lines with words in them were cut.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    kept: list[str] = []
    for place, line in enumerate(lines):
        if line.rstrip() == "--" or line == "-- " or _FULL_QUOTE.fullmatch(line):
            break
        if _LIST_RULE.fullmatch(line.strip()) and kept:
            break
        if _HEADER.match(line) and sum(bool(_HEADER.match(each)) for each in lines[place : place + 4]) >= 3:
            break
        if line.lstrip().startswith((">", "＞")):
            _drop_introduction(kept)
            continue
        if not _PHONE.fullmatch(line):
            kept.append(line)
    words = sum(1 for line in kept if line.strip())
    return "\n".join(kept).strip(), sum(1 for line in lines if line.strip()) - words


def _drop_introduction(kept: list[str]) -> None:
    """Takes off the line, or the two that it was broken into, that says who is quoted."""
    while kept and not kept[-1].strip():
        kept.pop()
    if not kept or not kept[-1].rstrip().endswith((":", "：")):
        return
    last = kept[-1][-400:]
    two = f"{kept[-2][-400:]} {last}" if len(kept) > 1 else last
    if _INTRODUCTION.search(last):
        kept.pop()
        if (
            kept
            and kept[-1].strip()
            and re.match(r"(?:On|Am|Le|El|Il|Em|Op|Den|W dniu)\s.{0,200}\d", kept[-1])
        ):
            kept.pop()
    elif _INTRODUCTION.search(two):
        del kept[-2:]


def html_text(source: str) -> str:
    """The text of an HTML mail: no tags, no scripts and styles, no quoted mail (`blockquote`)."""
    source = _without_comments(source)
    out: list[str] = []
    hidden: dict[str, int] = {}
    at = 0
    for tag in _TAG.finditer(source):
        if not hidden:
            out.append(source[at : tag.start()])
        at = tag.end()
        name = (tag[2] or "").lower()
        if name in _UNSEEN:
            depth = hidden.get(name, 0) + (-1 if tag[1] else 1)
            hidden.pop(name, None)
            if depth > 0:
                hidden[name] = depth
        if name in _BLOCKS:
            out.append("\n")
    if not hidden:
        out.append(source[at:])
    lines = (" ".join(line.split()) for line in unescape("".join(out)).split("\n"))
    return "\n".join(line for line in lines if line)


def _without_comments(source: str) -> str:
    parts: list[str] = []
    at = 0
    while (start := source.find("<!--", at)) >= 0:
        parts.append(source[at:start])
        end = source.find("-->", start)
        if end < 0:
            return "".join(parts)
        at = end + 3
    return "".join([*parts, source[at:]])
