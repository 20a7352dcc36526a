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

from dialog.conversation import Turn, join_neighbours
from dialog.corpus.records import Parsed
from dialog.text.normalise import normalise
from dialog.text.tokenizer import without_surrogates

__all__ = ["RULES", "Clean", "Counts", "clean", "exact_digest", "loose_digest"]

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
    kept = [turn for turn in read if not (parsed.roles and turn.speaker.lower() in _NO_PEOPLE)]
    normal = [
        Turn(normalise(without_surrogates(turn.speaker)), _clean_text(turn.text, counts)) for turn in kept
    ]
    spoken = [turn for turn in normal if turn.text]
    turns = join_neighbours(spoken)
    names: dict[str, int] = {}
    speakers = tuple(names.setdefault(turn.speaker, len(names)) for turn in turns)
    targets = _targets(turns, parsed.roles, reply_as)
    rule = _broken_rule(len(turns), len(names), targets)
    if rule is not None:
        counts[f"conversations_dropped_{rule}"] += 1
        counts["turns_of_dropped"] += len(read)
        return None
    counts["turns_system"] += len(read) - len(kept)
    counts["turns_empty"] += len(normal) - len(spoken)
    counts["turns_joined"] += len(spoken) - len(turns)
    texts = tuple(turn.text for turn in turns)
    return Clean(
        id=without_surrogates(parsed.conversation.id),
        speakers=speakers,
        texts=texts,
        targets=targets,
        exact=exact_digest(speakers, texts),
        loose=loose_digest(texts),
    )


def _targets(turns: tuple[Turn, ...], roles: bool, reply_as: str | None) -> tuple[bool, ...]:
    if reply_as is not None:
        name = normalise(without_surrogates(reply_as))
        wanted = [turn.speaker == name for turn in turns]
    else:
        wanted = [not roles or turn.speaker.casefold() == "assistant" for turn in turns]
    return tuple(place > 0 and is_wanted for place, is_wanted in enumerate(wanted))


def _broken_rule(num_turns: int, num_speakers: int, targets: tuple[bool, ...]) -> str | None:
    if num_turns < 2:
        return "one_turn"
    if num_speakers > _MOST_SPEAKERS:
        return "many_speakers"
    if not any(targets):
        return "no_target"
    return None


def _clean_text(text: str, counts: Counts) -> str:
    whole = without_surrogates(text)
    clean_text = normalise(whole)
    counts["texts_repaired"] += whole != text
    counts["texts_normalised"] += clean_text != whole
    return clean_text


def exact_digest(speakers: tuple[int, ...], texts: tuple[str, ...]) -> bytes:
    """What tells exact duplicates: 16 bytes of the texts and the pattern of speakers."""
    joined = "\n".join(f"{speaker} {text}" for speaker, text in zip(speakers, texts, strict=True))
    return hashlib.blake2b(joined.encode(), digest_size=16).digest()


def loose_digest(texts: tuple[str, ...]) -> bytes:
    """What the split is drawn from and leaks are found by: 16 bytes of the letters and digits alone."""
    joined = "".join(filter(str.isalnum, "".join(texts).casefold())) or "\n".join(texts)
    return hashlib.blake2b(joined.encode(), digest_size=16).digest()
