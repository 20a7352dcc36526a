"""The conversations written for this project: readable, varied, balanced, private to nobody, and connected."""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dialog.conversation import Conversation, join_neighbours
from dialog.corpus.cleaning import Counts, clean
from dialog.corpus.formats import FormatOptions, find_format
from dialog.corpus.records import LogFile

FOLDER = Path(__file__).resolve().parents[2] / "data/conversations"
MIB = 1 << 20


@dataclass(frozen=True)
class Bounds:
    """What the conversations in a language must reach.

    Attributes:
        conversations, topics: at least so many, in as many files.
        unit: a pattern; the units that n-grams are made of.
        gram: units in an n-gram.
        overlap: the largest Jaccard index of two conversations' n-grams.
        recalled: the least share of conversations where the bot says an uncommon word of an earlier user's turn.
        word: a pattern; what counts as such a word.
        letter: a pattern; a letter of the language's script, which nearly every letter is.
    """

    conversations: int
    topics: int
    unit: str
    gram: int
    overlap: float
    recalled: float
    word: str
    letter: str


BOUNDS = {
    "en": Bounds(
        conversations=600,
        topics=12,
        unit=r"\w+",
        gram=5,
        overlap=0.05,
        recalled=0.45,
        word=r"\w{3,}",
        letter=r"[A-Za-z]",
    ),
    # Japanese has no spaces: n-grams of characters, and a run of kanji or of katakana is a word.
    "ja": Bounds(
        conversations=300,
        topics=12,
        unit=r"\w",
        gram=5,
        overlap=0.055,
        recalled=0.45,
        word=r"[一-龯々]{2,}|[ァ-ヶー]{2,}",
        letter=r"[ぁ-ゖァ-ヶー一-龯々]",
    ),
}
SHOWN = {"en": "English", "ja": "Japanese"}
PRIVATE = {
    "mail address": r"\S@\S",
    "URL": r"://|www\.|\b\w+\.(?:com|org|net|jp)\b",
    "phone number": r"\d(?:[ ()/.-]?\d){6,}",
}


def read(path: Path) -> Iterator[Conversation]:
    """Reads a file as `hred prepare` does, its format found out; a bad record raises."""
    file = LogFile(path, MIB)
    log_format = find_format(file, FormatOptions())
    assert log_format is not None and log_format.name == "plain", path
    for record in log_format.records(file, file.lines()):
        assert record.error is None, (path, record.line)
        yield log_format.parse(record, f"{path.stem}:{record.line}").conversation


@pytest.fixture(scope="module", params=list(BOUNDS))
def language(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def topics(language) -> dict[str, list[Conversation]]:
    return {path.stem: list(read(path)) for path in sorted((FOLDER / language).glob("*.txt"))}


@pytest.fixture(scope="module")
def conversations(topics) -> list[Conversation]:
    return list(itertools.chain.from_iterable(topics.values()))


def texts(conversations: list[Conversation], speaker: str) -> list[str]:
    return [turn.text for talk in conversations for turn in talk.turns if turn.speaker == speaker]


def grams(conversation: Conversation, bounds: Bounds) -> frozenset[tuple[str, ...]]:
    units = re.findall(bounds.unit, " ".join(turn.text for turn in conversation.turns).casefold())
    return frozenset(tuple(units[at : at + bounds.gram]) for at in range(len(units) - bounds.gram + 1))


def largest_overlap(sets: dict[str, frozenset[tuple[str, ...]]]) -> tuple[float, str, str]:
    """Returns the largest Jaccard index of two sets, and their names; only pairs that share something are met."""
    holders: dict[tuple[str, ...], list[str]] = {}
    for name, one in sets.items():
        for gram in one:
            holders.setdefault(gram, []).append(name)
    shared = Counter(pair for names in holders.values() for pair in itertools.combinations(names, 2))
    return max(
        ((num / len(sets[a] | sets[b]), a, b) for (a, b), num in shared.items()), default=(0.0, "", "")
    )


def test_every_folder_has_bounds() -> None:
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} == set(BOUNDS)
    assert "CC0" in (FOLDER / "LICENSE").read_text()


def test_there_are_enough_in_every_topic(language, topics, conversations) -> None:
    bounds = BOUNDS[language]
    assert len(conversations) >= bounds.conversations
    assert len(topics) >= bounds.topics
    sizes = {topic: len(talks) for topic, talks in topics.items()}
    assert max(sizes.values()) <= 2 * min(sizes.values()), sizes


def test_user_and_bot_take_turns(conversations) -> None:
    for talk in conversations:
        assert 6 <= len(talk.turns) <= 14, talk.id
        assert {turn.speaker for turn in talk.turns} == {"User", "Bot"}, talk.id
        assert join_neighbours(talk.turns) == talk.turns, talk.id


def test_preparing_changes_and_drops_nothing(language, topics) -> None:
    counts = Counts()
    for path in sorted((FOLDER / language).glob("*.txt")):
        file = LogFile(path, MIB)
        log_format = find_format(file, FormatOptions())
        assert log_format is not None
        for record in log_format.records(file, file.lines()):
            assert clean(log_format.parse(record, path.stem), "Bot", counts) is not None
    assert counts["conversations_read"] == sum(map(len, topics.values()))
    assert counts["texts_normalised"] == counts["texts_repaired"] == counts["turns_joined"] == 0


def test_the_files_are_plain_unicode(language) -> None:
    for path in (FOLDER / language).glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert unicodedata.normalize("NFKC", text) == text, path
        assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Co") and c != "\n"], path
        assert "\n\n\n" not in text and not re.search(r" $", text, re.MULTILINE), path


def test_they_are_written_in_their_language(language, conversations) -> None:
    letters = [c for talk in conversations for turn in talk.turns for c in turn.text if c.isalpha()]
    foreign = [c for c in letters if re.match(BOUNDS[language].letter, c) is None]
    assert len(foreign) <= 0.005 * len(letters), Counter(foreign).most_common(9)


def test_no_two_conversations_are_near(language, conversations) -> None:
    bounds = BOUNDS[language]
    assert len({talk.turns for talk in conversations}) == len(conversations)
    overlap, one, other = largest_overlap({talk.id: grams(talk, bounds) for talk in conversations})
    assert overlap <= bounds.overlap, (one, other)


def test_near_conversations_would_be_found(language, conversations) -> None:
    """The check can fail: a conversation with one turn left out is near to the whole one."""
    bounds = BOUNDS[language]
    whole = conversations[0]
    shorter = Conversation("shorter", whole.turns[:-1])
    overlap, *_ = largest_overlap({"whole": grams(whole, bounds), "shorter": grams(shorter, bounds)})
    assert overlap > 10 * bounds.overlap


def test_the_bot_seldom_repeats_itself(conversations) -> None:
    replies = texts(conversations, "Bot")
    (reply, times), *_ = Counter(replies).most_common(1)
    assert times / len(replies) <= 0.005, reply
    assert len(set(replies)) >= 0.97 * len(replies)
    beginnings = Counter(reply[:6] for reply in replies)
    assert beginnings.most_common(1)[0][1] <= 0.06 * len(replies)


def test_turns_have_the_length_of_chat(conversations) -> None:
    lengths = [len(turn.text) for talk in conversations for turn in talk.turns]
    assert max(lengths) <= 200
    assert 15 <= sum(lengths) / len(lengths) <= 60
    # Some begin with the bot, some end with the user: who speaks is not told by the place.
    assert {talk.turns[0].speaker for talk in conversations} == {"User", "Bot"}
    assert {talk.turns[-1].speaker for talk in conversations} == {"User", "Bot"}


def test_nothing_private_is_in_them(conversations) -> None:
    for talk in conversations:
        for turn in talk.turns:
            for kind, pattern in PRIVATE.items():
                assert re.search(pattern, turn.text) is None, (kind, talk.id, turn.text)


def test_the_datasheet_counts_what_is_there(language, topics, conversations) -> None:
    turns = [turn.text for talk in conversations for turn in talk.turns]
    words = sum(len(text.split()) for text in turns) if language == "en" else sum(map(len, turns))
    sizes = sorted(map(len, topics.values()))
    told = (
        f"{len(conversations)} conversations in {SHOWN[language]}, {len(turns):,} turns, "
        f"{words:,} {'words' if language == 'en' else 'characters'}, in {len(topics)} topics of "
        f"{sizes[0]} to {sizes[-1]}"
    )
    datasheet = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert told in " ".join(datasheet.split())


def test_the_bot_leans_on_what_was_said(language, conversations) -> None:
    """An uncommon word that the user brought in comes back from the bot, at least two turns later."""
    pattern = BOUNDS[language].word
    found = {
        talk.id: [set(re.findall(pattern, turn.text.casefold())) for turn in talk.turns]
        for talk in conversations
    }
    holders = Counter(word for turns in found.values() for word in set().union(*turns))
    recalled = 0
    for talk in conversations:
        said: list[set[str]] = []
        for turn, words in zip(talk.turns, found[talk.id], strict=True):
            earlier = set().union(*said[:-1]) if turn.speaker == "Bot" else set()
            if any(holders[word] <= 0.01 * len(conversations) for word in earlier & words):
                recalled += 1
                break
            said.append(words if turn.speaker == "User" else set())
    assert recalled / len(conversations) >= BOUNDS[language].recalled
