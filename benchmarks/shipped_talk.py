"""What the shipped models are trained on last: a published corpus with this project's small talk, names exchanged.

A model of this size learns to bring a name back only from many examples of it, and each name of the small talk stands
in one or two conversations. So copies of those where the bot brings up a name that the user told first get other
names, the same one wherever the name stood: the reply can only be known from the conversation. The corpus's own
conversations stand among them, so that nothing of it is forgotten; of their two speakers the second stands for the bot.
"""

import gzip
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from shipped_drills import BOT, USER, drill
from shipped_names import (
    ENGLISH_NAMES,
    ENGLISH_PLACES,
    JAPANESE_NAMES,
    JAPANESE_PEOPLE,
    MORE_NAMES,
    MORE_PEOPLE,
    made_up_names,
)

__all__ = [
    "NAMES",
    "Names",
    "Talk",
    "corpus_talks",
    "drilled_names",
    "exchange_names",
    "small_talks",
    "write_talks",
]

Talk = tuple[tuple[str, str], ...]
"""A conversation: speaker and text of each turn."""

_HELD_OUT = 20
"""One conversation of so many is for validation, and another for the test."""


@dataclass(frozen=True, slots=True)
class Names:
    """How names are found in a language, and what they are exchanged for.

    Attributes:
        told: matches a name, its only group, in a turn of either speaker.
        never: what it matches that is none.
        pools: names of one kind each; a name of a pool is exchanged for others of it, any other for those of the
            first, which are what animals are called.
        people: names that people have.
        bounds: what stands before and after a name in a text, as lookarounds.
    """

    told: re.Pattern[str]
    never: frozenset[str]
    pools: tuple[tuple[str, ...], ...]
    people: tuple[str, ...]
    bounds: tuple[str, str]

    def found(self, talk: Talk) -> list[str]:
        """Returns the names that the user told before the bot brought them up, in the order of the text."""
        seen = dict.fromkeys(match[1] for _, text in talk for match in self.told.finditer(text))
        return [name for name in seen if name not in self.never and self._comes_back(name, talk)]

    def pool_of(self, name: str) -> tuple[str, ...]:
        """Returns what a name is exchanged for."""
        return next((pool for pool in self.pools if name in pool), self.pools[0])

    def anywhere(self, name: str) -> re.Pattern[str]:
        """Returns what matches a name in a text."""
        before, after = self.bounds
        return re.compile(f"{before}{re.escape(name)}{after}")

    def _comes_back(self, name: str, talk: Talk) -> bool:
        places = [place for place, (_, text) in enumerate(talk) if self.anywhere(name).search(text)]
        return bool(places) and talk[places[0]][0] == USER and any(talk[place][0] == BOT for place in places)


_NO_ENGLISH_NAMES = (
    "Mr Mrs Ms Miss Dr Captain Lady Madame Admiral Inspector Commodore Monday Tuesday Wednesday Thursday "
    "Friday Saturday Sunday Mondays Tuesdays Sundays January February March April May June July August "
    "September October November December Maybe Tomorrow Later Can Till Split Slow Wet Spin Cycle Cardboard "
    "Tin Fish Turkey Bulls Onions Flying Herons Nobody Spanish English Edit Empress Ketchup Kettle Rapid "
    "Tank Bubble Bubbles Puddle Blue Spoon Banana Lou"
)
_NO_JAPANESE_NAMES = (
    "母 父 孫 子 兄 妹 姉 弟 屋 彼女 いとこ 部長 店長 隣 花屋 交換手 八百屋 後輩 先輩 パパ ママ 新人 猫 犬 "
    "主 魚屋 金物屋 よう 豆腐 美容師 人 焼 司書 大工 部下 検針員 たこ ダイ おじい おばあ お母 お父 赤 皆 奥 "
    "娘 息子"
)
NAMES: Mapping[str, Names] = {
    "en": Names(
        re.compile(r"(?<=[a-z,;] )([A-Z][a-z]+)\b"),
        frozenset(_NO_ENGLISH_NAMES.split()),
        (tuple(ENGLISH_NAMES.split()), tuple(ENGLISH_PLACES.split())),
        tuple(ENGLISH_NAMES.split()),
        (r"\b", r"\b"),
    ),
    "ja": Names(
        re.compile(r"([ァ-ヶー]{2,}|[一-龥]{1,3}|[ぁ-ん]{3,4})(?=ちゃん|くん|さん|という|って名前)"),
        frozenset(_NO_JAPANESE_NAMES.split()),
        (tuple(JAPANESE_NAMES.split()), tuple(JAPANESE_PEOPLE.split())),
        tuple(JAPANESE_PEOPLE.split()),
        (r"(?<![ァ-ヶー一-龥])", r"(?![ァ-ヶー一-龥])"),
    ),
}


def small_talks(folder: Path) -> Iterator[Talk]:
    """Yields the conversations of this project in a language's folder."""
    for path in sorted(folder.glob("*.txt")):
        for block in path.read_text().strip().split("\n\n"):
            turns = (line.split(": ", 1) for line in block.splitlines())
            yield tuple((speaker, text) for speaker, text in turns)


def corpus_talks(path: Path) -> Iterator[Talk]:
    """Yields the conversations of a file of JSON Lines; the second speaker is the bot.

    Args:
        path: gzipped JSON Lines with `turns`, each of `speaker` and `text`.
    """
    with gzip.open(path, "rt") as file:
        for line in file:
            turns = json.loads(line)["turns"]
            first = turns[0]["speaker"]
            yield tuple((USER if turn["speaker"] == first else BOT, turn["text"]) for turn in turns)


def exchange_names(talk: Talk, names: Names, random_state: random.Random) -> Talk | None:
    """Returns the conversation with other names, or None where the bot brings up none that it was told."""
    found = names.found(talk)
    if not found:
        return None
    taken = set(found)
    for name in found:
        pattern = names.anywhere(name)
        new = random_state.choice([other for other in names.pool_of(name) if other not in taken])
        taken.add(new)
        talk = tuple((speaker, pattern.sub(new, text)) for speaker, text in talk)
    return talk


def drilled_names(language: str, random_state: random.Random) -> tuple[list[str], list[str]]:
    """Returns the names of animals and of people that are drilled: of each, as many made-up ones as others."""
    kinds = ((NAMES[language].pools[0], MORE_NAMES), (NAMES[language].people, MORE_PEOPLE))
    heard = [list(dict.fromkeys((*pool, *more[language].split()))) for pool, more in kinds]
    animals, people = ([*names, *made_up_names(language, len(names), random_state)] for names in heard)
    return animals, people


def write_talks(
    folder: Path, language: str, small_talk: Path, corpus: Path, copies: int, drills: int
) -> None:
    """Writes `train.jsonl`, `valid.jsonl` and `test.jsonl` for `hred prepare`.

    The test has small talk alone; the validation has as many conversations of the corpus's as well, the first ones.

    Args:
        folder: where to.
        language: `en` or `ja`.
        small_talk: folder of this project's conversations.
        corpus: folder with the published corpus's `train.jsonl.gz` and `valid.jsonl.gz`.
        copies: with other names, of each conversation where names come back.
        drills: how many.
    """
    random_state = random.Random(1)
    splits: dict[str, list[Talk]] = {"train": [], "valid": [], "test": []}
    for place, talk in enumerate(small_talks(small_talk)):
        split = {0: "valid", _HELD_OUT // 2: "test"}.get(place % _HELD_OUT, "train")
        splits[split].append(talk)
        if split == "train":
            renamed = (exchange_names(talk, NAMES[language], random_state) for _ in range(copies))
            splits[split] += [other for other in renamed if other is not None]
    animals, people = drilled_names(language, random_state)
    splits["train"] += (drill(language, animals, people, random_state) for _ in range(drills))
    splits["train"] += corpus_talks(corpus / "train.jsonl.gz")
    splits["valid"] += islice(corpus_talks(corpus / "valid.jsonl.gz"), len(splits["valid"]))
    folder.mkdir(parents=True, exist_ok=True)
    for split, talks in splits.items():
        (folder / f"{split}.jsonl").write_text("".join(_line(talk) for talk in talks))


def _line(talk: Sequence[tuple[str, str]]) -> str:
    turns = [{"speaker": speaker, "text": text} for speaker, text in talk]
    return json.dumps({"turns": turns}, ensure_ascii=False) + "\n"
