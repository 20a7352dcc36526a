"""Which language a short text is in, as far as its letters and its smallest words tell: a guess for counting, no more.

Letters tell the script, and with it some languages (kana: Japanese; Hangul: Korean). Latin letters are told apart by
words such as "the", "und" and "que": the language with most of them wins, and where two have as many, none does.
"""

import re
from collections import Counter
from functools import lru_cache

__all__ = ["guess_language"]

_SCRIPTS = (
    ("Japanese", ((0x3041, 0x3096), (0x30A1, 0x30FC), (0xFF66, 0xFF9D))),
    ("Korean", ((0xAC00, 0xD7A3), (0x1100, 0x11FF), (0x3131, 0x318E))),
    ("Chinese characters alone", ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x20000, 0x2FA1F))),
    ("Cyrillic letters", ((0x0400, 0x052F),)),
    ("Arabic letters", ((0x0600, 0x06FF), (0x0750, 0x077F))),
    ("Greek", ((0x0370, 0x03FF),)),
    ("Hebrew", ((0x0590, 0x05FF),)),
    ("Thai", ((0x0E00, 0x0E7F),)),
    ("Devanagari letters", ((0x0900, 0x097F),)),
)
_WORDS = {
    "English": "the a an is are was were be been to of and in that it i you he she we they my your his her this what "
    "do does did don't i'm it's have has not with for on at but so how why when who would could can will just me",
    "German": "der die das ein eine einen ist sind war und nicht ich du er sie wir ihr mein dein mit für auf aber auch "
    "wie was warum wann wer kann haben hat noch nur mir dir es zu von dem den im ja nein",
    "French": "le la les un une des est sont était et pas je tu il elle nous vous ils mon ton avec pour sur mais aussi "
    "comment quoi pourquoi quand qui peut avoir c'est j'ai du au ce cette que ne oui non",
    "Spanish": "el la los las un una es son era y no yo tú él ella nosotros mi tu con para por pero también cómo qué "
    "cuándo quién puede tiene que de en lo se me te sí muy está",
    "Italian": "il lo la gli le un una è sono era e non io tu lui lei noi mio tuo con per ma anche come cosa perché "
    "quando chi può avere che di in si mi ti sì molto questo della",
    "Portuguese": "o a os as um uma é são era e não eu tu ele ela nós meu teu com para por mas também como quê quando "
    "quem pode tem que de em no na se me sim muito está você",
    "Dutch": "de het een is zijn was en niet ik jij je hij zij wij mijn met voor op maar ook hoe wat waarom wanneer "
    "wie kan hebben heeft nog van in dat dit er ja nee",
}
_LANGUAGES_OF: dict[str, list[str]] = {}
for _language, _list in _WORDS.items():
    for _word in _list.split():
        _LANGUAGES_OF.setdefault(_word, []).append(_language)
_LATIN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def guess_language(text: str) -> str:
    """Returns the language or script of a text, `Latin letters` where no word tells more, or `no letters`."""
    scripts = Counter(map(_script, filter(str.isalpha, text)))
    if not scripts:
        return "no letters"
    if scripts["Japanese"]:
        scripts["Japanese"] += scripts.pop("Chinese characters alone", 0)
    script = max(scripts, key=lambda each: scripts[each])
    return script if script != "Latin letters" else _latin(text)


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    code = ord(letter)
    for name, ranges in _SCRIPTS:
        if any(first <= code <= last for first, last in ranges):
            return name
    return (
        "Latin letters"
        if code < 0x0250 or 0x1E00 <= code <= 0x1EFF or 0xFF21 <= code <= 0xFF5A
        else "other letters"
    )


def _latin(text: str) -> str:
    votes: Counter[str] = Counter()
    for word in _LATIN.findall(text.casefold().replace("’", "'")):
        votes.update(_LANGUAGES_OF.get(word, ()))
    best = votes.most_common(2)
    if not best or (len(best) == 2 and best[0][1] == best[1][1]):
        return "Latin letters"
    return best[0][0]
