"""Cleaning: what happens to a conversation between its log and the corpus, rule by rule.

    turns           system messages of role/content logs left out → text normalised (NFKC, white space),
                    lone surrogates as U+FFFD → turns without text left out → neighbours joined
    conversations   dropped for the first rule that they break, in the order of `RULES`

Both sums add up: conversations read = kept + dropped by each rule, and turns read = kept + joined + empty +
system + those of dropped conversations.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from dialog.conversation import Turn, join_neighbours
from dialog.corpus.records import Parsed
from dialog.text.loose import loose_digest
from dialog.text.normalise import normalise
from dialog.text.tokenizer import without_surrogates

__all__ = ["RULES", "Clean", "Counts", "clean", "clean_name", "exact_digest"]

RULES = {
    "one_turn": "fewer than two turns after cleaning",
    "many_speakers": "more than 65,535 speakers",
    "no_target": "no turn to train on (--reply-as)",
    "duplicate": "exact duplicate of an earlier conversation of the split",
}
_NO_PEOPLE = frozenset({"system", "developer", "tool", "function"})
_MOST_SPEAKERS = 65_535


@dataclass(frozen=True, slots=True)
class Clean:
    """A conversation that went through cleaning.

    Attributes:
        id: its name.
        speakers: the number of each turn's speaker, from 0 in order of appearance.
        texts: the turns' texts, normalised, none empty.
        targets: whether each turn is trained on; never the first.
        exact: 16 bytes, equal for conversations with the same texts and the same pattern of speakers.
        loose: 16 bytes, equal for conversations with the same texts but for case, space and punctuation.
    """

    id: str
    speakers: tuple[int, ...]
    texts: tuple[str, ...]
    targets: tuple[bool, ...]
    exact: bytes
    loose: bytes


class Counts(Counter[str]):
    """Numbers by name; `conversations_…` and `turns_…`."""


def clean(parsed: Parsed, reply_as: str | None, counts: Counts) -> Clean | None:
    """Cleans one conversation and counts what it did.

    Args:
        parsed: the conversation as read.
        reply_as: the speaker whose turns are trained on; None for all, or for the assistant in role logs.
        counts: is added to.

    Returns:
        The clean conversation; None where a rule drops it.
    """
    read = parsed.conversation.turns
    counts["conversations_read"] += 1
    counts["turns_read"] += len(read)
    kept = read
    if parsed.roles:
        kept = tuple(turn for turn in read if turn.speaker.lower() not in _NO_PEOPLE)
    said = [(clean_name(turn.speaker), _clean_text(turn.text, counts)) for turn in kept]
    spoken = [each for each in said if each[1]]
    turns = _joined(spoken)
    names: dict[str, int] = {}
    speakers = tuple([names.setdefault(speaker, len(names)) for speaker, _ in turns])
    targets = _targets(turns, parsed.roles, reply_as)
    rule = _broken_rule(len(turns), len(names), targets)
    if rule is not None:
        counts[f"conversations_dropped_{rule}"] += 1
        counts["turns_of_dropped"] += len(read)
        return None
    counts["turns_system"] += len(read) - len(kept)
    counts["turns_empty"] += len(said) - len(spoken)
    counts["turns_joined"] += len(spoken) - len(turns)
    texts = tuple([text for _, text in turns])
    return Clean(
        id=without_surrogates(parsed.conversation.id),
        speakers=speakers,
        texts=texts,
        targets=targets,
        exact=exact_digest(speakers, texts),
        loose=loose_digest(texts),
    )


def _joined(spoken: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Neighbours by one speaker as one turn."""
    if all(one[0] != other[0] for one, other in pairwise(spoken)):
        return spoken
    return [(turn.speaker, turn.text) for turn in join_neighbours(Turn(*each) for each in spoken)]


def _targets(turns: list[tuple[str, str]], roles: bool, reply_as: str | None) -> tuple[bool, ...]:
    if reply_as is None and not roles:
        return (False,) + (True,) * (len(turns) - 1)
    if reply_as is not None:
        name = clean_name(reply_as)
        wanted = [speaker == name for speaker, _ in turns]
    else:
        wanted = [speaker.casefold() == "assistant" for speaker, _ in turns]
    return tuple(place > 0 and is_wanted for place, is_wanted in enumerate(wanted))


def _broken_rule(num_turns: int, num_speakers: int, targets: tuple[bool, ...]) -> str | None:
    if num_turns < 2:
        return "one_turn"
    if num_speakers > _MOST_SPEAKERS:
        return "many_speakers"
    if not any(targets):
        return "no_target"
    return None


@lru_cache(maxsize=10_000)
def clean_name(name: str) -> str:
    """Returns a speaker's name, normalised."""
    return normalise(without_surrogates(name))


def _clean_text(text: str, counts: Counts) -> str:
    whole = without_surrogates(text)
    clean_text = normalise(whole)
    if clean_text is not text:  # else nothing was changed
        counts["texts_repaired"] += whole != text
        counts["texts_normalised"] += clean_text != whole
    return clean_text


def exact_digest(speakers: tuple[int, ...], texts: tuple[str, ...]) -> bytes:
    """What tells exact duplicates: 16 bytes of the texts and the pattern of speakers."""
    joined = "\n".join([f"{speaker} {text}" for speaker, text in zip(speakers, texts, strict=True)])
    return hashlib.blake2b(joined.encode(), digest_size=16).digest()
