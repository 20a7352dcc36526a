"""Battles, without their looks: two hidden models answer the same messages until somebody votes.

All of a battle is in the store, which models stand where, too, so that a reload, a restart and another server go
on with it. What is given out for the page names no model before the vote: `Battles` is the one place that turns a
stored battle into what is shown. Both replies of a round are stored, and shown, together, when the slower one is
there; a failure says neither whose it was nor why.
"""

import hashlib
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from app.bots import Bots
from app.shipped import for_language
from app.store import Store, StoredBattle, StoredMessage
from app.store.battle_rounds import Side
from app.web.chats import MAX_CHARACTERS
from dialog.conversation import Conversation, Turn
from dialog.decoding.replies import CHAT_SAMPLING, Reply
from dialog.errors import DialogError, StoreError, UsageError
from dialog.evaluation.ranking.pairing import draw_pair
from dialog.evaluation.ranking.table import Ranking, rank
from dialog.evaluation.ranking.votes import Player, Tally

__all__ = ["Battles", "Shown"]

_TRIES = 4
"""A reply without a word is drawn again with the next index, so many times in all."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A battle as the page may show it.

    Attributes:
        id: random; it says nothing of the models.
        left: who said what in A's conversation: (role, text).
        right: the same in B's.
        is_waiting: whether the last message awaits its replies.
        can_vote: whether there are replies to judge, and no vote yet.
        choice: the vote; None before it.
        names: of the models on the left and on the right, once the vote is given; None before.
    """

    id: str
    left: tuple[tuple[str, str], ...]
    right: tuple[tuple[str, str], ...]
    is_waiting: bool
    can_vote: bool
    choice: str | None
    names: tuple[str, str] | None


class Battles:
    """The battles of all owners.

    Args:
        bots: who replies.
        store: where battles and votes are kept.
    """

    def __init__(self, bots: Bots, store: Store) -> None:
        self._bots, self._store = bots, store
        self._lock = threading.Lock()
        self._ranked: dict[str, tuple[bytes, Ranking]] = {}

    def latest(self, owner: str) -> Shown | None:
        """Returns the owner's battle to go on with, or the one that was voted last; None if there is none."""
        battle = self._store.latest_battle(owner)
        return None if battle is None else self._shown(owner, battle)

    def shown(self, owner: str, battle_id: str) -> Shown:
        """Returns a battle of this owner."""
        return self._shown(owner, self._store.battle(owner, battle_id))

    def say(self, owner: str, battle_id: str, text: str, client_id: str, language: str) -> Shown:
        """Stores a message: in the battle if it is open, else in a new one between two models that are drawn.

        A new battle is between models to talk to in this language, or any where it has fewer than two.
        """
        if len(text) > MAX_CHARACTERS:
            raise UsageError(
                f"the message has {len(text):,} characters, but at most {MAX_CHARACTERS:,} can be sent; "
                "shorten it"
            )
        battle = self._store.battle(owner, battle_id) if battle_id else None
        client_id = client_id or secrets.token_hex(16)
        if battle is not None and battle.state == "open":
            return self._shown(owner, self._store.say_in_battle(owner, battle.id, text, client_id))
        players = self._players(language)
        counts = _among(self._store.tally(), players)
        left, right = draw_pair(counts, np.random.default_rng(secrets.randbits(64)))
        return self._shown(owner, self._store.begin_battle(owner, text, client_id, left, right))

    def answer(self, owner: str, battle_id: str) -> Shown:
        """Lets both models answer the message that awaits them; returns when both replies are stored.

        Raises:
            StoreError: one of them has no reply; nothing is stored then.
        """
        battle = self._store.battle(owner, battle_id)
        branches = self._store.battle_branches(owner, battle_id)
        if battle.state != "open" or branches[0][-1].role != "user" or branches[1][-1].role != "user":
            return self._shown(owner, battle)
        models = ((battle.model_a, battle.model_a_hash), (battle.model_b, battle.model_b_hash))
        with ThreadPoolExecutor(2) as threads:
            asked = [
                threads.submit(self._reply, battle, model, branch)
                for model, branch in zip(models, branches, strict=True)
            ]
            try:
                left, right = (one.result() for one in asked)
            except DialogError as error:
                raise StoreError(
                    "the two replies cannot be had now; try again, or begin another battle"
                ) from error
        sides: dict[Side, tuple[str, Reply]] = {
            "a": (branches[0][-1].id, left),
            "b": (branches[1][-1].id, right),
        }
        return self._shown(owner, self._store.answer_battle(owner, battle_id, sides))

    def vote(self, owner: str, battle_id: str, choice: str) -> Shown:
        """Keeps the vote and ends the battle.

        Raises:
            StoreError: there is nothing to judge yet, or this owner has voted otherwise before.
        """
        battle = self._store.battle(owner, battle_id)
        if battle.reply_a_id is None or battle.reply_b_id is None:
            raise StoreError("there are no replies to judge yet; wait for them")
        return self._shown(owner, self._store.vote(owner, battle_id, choice))

    def abandon(self, owner: str, battle_id: str) -> None:
        """Ends a battle without a vote, unless it has one."""
        self._store.abandon_battle(owner, battle_id)

    def ranking(self, language: str) -> Ranking:
        """Returns the ranking of the models for a language; computed again only when there are other votes."""
        tally = self._store.tally()
        spoken = set(for_language([player.name for player in tally.players], language, at_least=2))
        tally = _among(tally, [player for player in tally.players if player.name in spoken])
        key = repr((tally.players, tally.left, tally.right)).encode() + b"".join(
            counts.tobytes() for counts in (tally.wins, tally.ties, tally.both_bad)
        )
        with self._lock:
            if language not in self._ranked or self._ranked[language][0] != key:
                self._ranked[language] = key, rank(tally)
            return self._ranked[language][1]

    def _players(self, language: str) -> list[Player]:
        """Returns the models for a language that can be loaded."""
        found = []
        for name in for_language(self._bots.names, language, at_least=2):
            try:
                found.append(Player(name, self._bots.describe(name)["model_hash"]))
            except DialogError:
                continue
        return found

    def _reply(self, battle: StoredBattle, model: tuple[str, str], branch: Sequence[StoredMessage]) -> Reply:
        name, model_hash = model
        engine = self._bots.engine(name)
        if self._bots.describe(name)["model_hash"] != model_hash:
            raise StoreError("a model of this battle is served no more; begin another battle")
        conversation = Conversation(battle.id, tuple(Turn(m.role, m.text) for m in branch if m.text))
        # The same battle and round draw the same numbers on every server.
        seed = int.from_bytes(hashlib.sha256(f"{battle.id}:{len(branch)}".encode()).digest()[:6], "big")
        replies = engine.reply(conversation, CHAT_SAMPLING, 1, seed)
        if not replies[0].text.strip():
            replies += engine.reply(conversation, CHAT_SAMPLING, _TRIES, seed)[1:]
        return next((reply for reply in replies if reply.text.strip()), replies[0])

    def _shown(self, owner: str, battle: StoredBattle) -> Shown:
        left, right = self._store.battle_branches(owner, battle.id)
        is_waiting = battle.state == "open" and left[-1].role == "user"
        has_voted = battle.choice is not None
        return Shown(
            id=battle.id,
            left=tuple((message.role, message.text) for message in left),
            right=tuple((message.role, message.text) for message in right),
            is_waiting=is_waiting,
            can_vote=not has_voted and battle.state == "open" and battle.reply_a_id is not None,
            choice=battle.choice,
            names=(battle.model_a, battle.model_b) if has_voted else None,
        )


def _among(tally: Tally, players: Sequence[Player]) -> Tally:
    """Returns the votes between some models, each of which is listed."""
    kept = sorted(set(players))
    place = {player: index for index, player in enumerate(tally.players)}
    wins, ties, both_bad = (np.zeros((len(kept),) * 2, dtype=np.int64) for _ in range(3))
    for row, one in enumerate(kept):
        for column, other in enumerate(kept):
            if one in place and other in place:
                at = place[one], place[other]
                wins[row, column], ties[row, column] = tally.wins[at], tally.ties[at]
                both_bad[row, column] = tally.both_bad[at]
    return Tally(tuple(kept), wins, ties, both_bad, tally.left, tally.right)
