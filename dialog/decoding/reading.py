"""Reading contexts: the turns of conversations that are not known yet, an utterance of each at a time."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from dialog.conversation import Conversation, Turn
from dialog.decoding.context_cache import ContextCache, further_hashes, prefix_hashes
from dialog.errors import UsageError
from dialog.models.base import ContextState, ReplyModel
from dialog.text.batches import utterances_of
from dialog.text.normalise import normalise
from dialog.text.tokenizer import Tokenizer

__all__ = ["ContextReader", "Reading", "joined_texts"]

_LAST_TURNS = 3
"""A chat that goes on has so many turns more than when it was last opened, or fewer."""
_MOST_SEEN = 8_192


@dataclass(slots=True)
class Reading:
    """A conversation that is being read.

    Attributes:
        context_hash: of all its turns.
        state: after the turns that were read.
        unread: tokens of the further turns.
    """

    context_hash: str
    state: ContextState
    unread: list[Sequence[int]]


class ContextReader:
    """Reads conversations with one model, and keeps the states that chats go on from.

    Args:
        model: in evaluation mode.
        tokenizer: the model's own.
        cache_bytes: for the states that are kept.
        clock: seconds, never going back.
    """

    def __init__(
        self,
        model: ReplyModel,
        tokenizer: Tokenizer,
        cache_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._cache = ContextCache(cache_bytes, clock)
        self._seen = _SeenBeginnings(clock)

    @torch.inference_mode()
    def open(self, conversation: Conversation) -> Reading:
        """Begins where the longest known beginning of a conversation ends.

        Raises:
            UsageError: there is no turn to answer.
        """
        digests = _beginnings(conversation.turns)
        reading, speaker = self._go_on(conversation.turns, digests) or self._begin(conversation)
        if digests:
            self._seen.keep(digests[0][1], _Seen(reading.context_hash, speaker))
        return reading

    def _go_on(
        self, turns: Sequence[Turn], digests: Sequence[tuple[int, bytes]]
    ) -> tuple[Reading, str | None] | None:
        """Goes on from a beginning that was opened before: a long chat then costs its last turns alone."""
        for count, digest in digests:
            seen = self._seen.get(digest)
            if seen is None:
                continue
            texts, speakers = _joined(turns[count:])
            if texts and speakers[0] == seen.speaker:
                return None  # it is said in the same breath as what was read
            hashes = further_hashes(seen.context_hash, texts)
            known, state = self._cache.longest(hashes)
            if state is None:
                return None
            unread = self._tokenizer.encode_all(texts[known:])
            return Reading(hashes[-1], state, list(unread)), speakers[-1] if speakers else seen.speaker
        return None

    def _begin(self, conversation: Conversation) -> tuple[Reading, str | None]:
        texts, speakers = _joined(conversation.turns)
        if not texts:
            raise UsageError("the conversation has no text to answer; give at least one turn with words")
        hashes = prefix_hashes(texts)
        known, state = self._cache.longest(hashes)
        unread = self._tokenizer.encode_all(texts[known:])
        return Reading(hashes[-1], self._model.start(1) if state is None else state, list(unread)), speakers[
            -1
        ]

    @torch.inference_mode()
    def advance(self, readings: Sequence[Reading]) -> None:
        """Reads one more utterance of each conversation that has one, all together."""
        going_on = [reading for reading in readings if reading.unread]
        if not going_on:
            return
        device = next(self._model.parameters()).device
        utterances = utterances_of([reading.unread.pop(0) for reading in going_on]).to(device)
        states = [reading.state for reading in going_on]
        before = states[0] if len(states) == 1 else type(states[0]).concat(states)
        after = self._model.observe(before, utterances)
        for row, reading in enumerate(going_on):
            reading.state = after if len(states) == 1 else after.select([row])
            if not reading.unread:
                self._cache.keep(reading.context_hash, reading.state)

    def forget(self, conversation: Conversation) -> None:
        """Drops what is kept of a conversation and of each of its beginnings.

        Another chat that begins with the same words is read again at its next turn, and goes on alike.
        """
        self._cache.forget(_every_context(conversation.turns))
        self._seen.forget(_every_beginning(conversation.turns))

    def forget_unused(self, seconds: float) -> None:
        """Drops what is kept of conversations that did not go on for so long; they are read again when they do."""
        self._cache.forget_unused(seconds)
        self._seen.forget_unused(seconds)

    def read_all(self, readings: Sequence[Reading]) -> None:
        """Reads all turns of all conversations."""
        while any(reading.unread for reading in readings):
            self.advance(readings)


def joined_texts(conversation: Conversation) -> list[str]:
    """Returns the texts of `join_neighbours` over the normalised turns that have words."""
    return _joined(conversation.turns)[0]


def _joined(turns: Sequence[Turn]) -> tuple[list[str], list[str]]:
    """Returns the texts, and who says each."""
    texts: list[str] = []
    speakers: list[str] = []
    for turn in turns:
        text = normalise(turn.text)
        if text and texts and turn.speaker == speakers[-1]:
            texts[-1] = f"{texts[-1]} {text}"
        elif text:
            texts.append(text)
            speakers.append(turn.speaker)
    return texts, speakers


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of a beginning: the hash of its joined, normalised texts, and who spoke last."""

    context_hash: str
    speaker: str | None


class _SeenBeginnings:
    """Beginnings of conversations as they came, word for word; the least recently used go first."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: OrderedDict[bytes, tuple[_Seen, float]] = OrderedDict()  # and when it was used last
        self._lock = threading.Lock()

    def get(self, digest: bytes) -> _Seen | None:
        with self._lock:
            found = self._seen.pop(digest, None)
            if found is None:
                return None
            self._seen[digest] = found[0], self._clock()
            return found[0]

    def keep(self, digest: bytes, seen: _Seen) -> None:
        with self._lock:
            self._seen.pop(digest, None)
            self._seen[digest] = seen, self._clock()
            if len(self._seen) > _MOST_SEEN:
                self._seen.popitem(last=False)

    def forget_unused(self, seconds: float) -> None:
        before = self._clock() - seconds
        with self._lock:
            while self._seen and next(iter(self._seen.values()))[1] < before:
                self._seen.popitem(last=False)

    def forget(self, digests: Iterable[bytes]) -> None:
        with self._lock:
            for digest in digests:
                self._seen.pop(digest, None)


def _beginnings(turns: Sequence[Turn]) -> list[tuple[int, bytes]]:
    """Returns the longest beginnings, the longest first: how many turns, and a digest of them.

    A chat comes whole at every turn, so the many turns of its beginning are taken in one go.
    """
    split = max(0, len(turns) - _LAST_TURNS)
    stream = _stream(turns[:split])
    if stream is None:
        return []
    running = hashlib.sha256(stream)
    digests = [(split, running.digest())] if split else []
    for count in range(split, len(turns)):
        stream = _stream(turns[count : count + 1])
        if stream is None:
            return []
        running.update(stream)
        digests.append((count + 1, running.digest()))
    return digests[::-1]


def _every_context(turns: Sequence[Turn]) -> Iterator[str]:
    """Yields the context hash of each beginning; what one speaker says in two turns has two."""
    before = last = prefix_hashes(())[0]
    said, speaker = "", None
    for turn in turns:
        text = normalise(turn.text)
        if not text:
            continue
        if turn.speaker == speaker:
            said = f"{said} {text}"
        else:
            before, said, speaker = last, text, turn.speaker
        last = further_hashes(before, [said])[-1]
        yield last


def _every_beginning(turns: Sequence[Turn]) -> Iterator[bytes]:
    """Yields the digest of each beginning that `open` may have seen, of one turn or more."""
    running = hashlib.sha256()
    for turn in turns:
        stream = _stream([turn])
        if stream is None:
            return
        running.update(stream)
        yield running.copy().digest()


def _stream(turns: Sequence[Turn]) -> bytes | None:
    """Returns the bytes of turns, such that other turns have others; None where a text holds NUL."""
    parts = [part for turn in turns for part in (turn.speaker, turn.text)]
    text = "\0".join([*parts, ""])
    return text.encode("utf-8", "surrogatepass") if text.count("\0") == len(parts) else None
