"""Replies that are being decoded, apart from whoever reads them.

A reply belongs to the server from its first token to its row in the store: a page that is reloaded or closed
ends nothing, and a page that is opened meanwhile can be shown what there is. A reply has an id of its own, made
from that of the request, so that a request that comes twice decodes and stores it once.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.bots import Bots
from app.store import Store, StoredMessage
from dialog.conversation import Conversation
from dialog.decoding.replies import Reply, Sampling
from dialog.errors import DialogError

__all__ = ["Answer", "Replies", "RunningReply"]

_DECODED_SECONDS = 600.0
"""A reply that takes longer is stopped."""


@dataclass(slots=True, eq=False)
class RunningReply:
    """One reply; a thread writes it, any number of pages read it.

    Attributes:
        model: the bot's name.
        index: its place among the replies of this model to the same request.
        text: what there is of it.
        stored: its message, once it is stored; stays None when nothing came.
        error: why there is none.
        has_ended: whether no more comes of it.
    """

    model: str
    index: int
    text: str = ""
    stored: StoredMessage | None = None
    error: DialogError | None = None
    has_ended: bool = False


@dataclass(slots=True, eq=False)
class Answer:
    """The replies to one request.

    Attributes:
        owner: whose chat.
        session_id: the chat.
        parent: the message that is answered.
        client_id: of the request.
        replies: one for each model and index.
        stopping: set to stop all of them at their next token.
        ended: set when all of them are stored.
    """

    owner: str
    session_id: str
    parent: str
    client_id: str
    replies: tuple[RunningReply, ...]
    stopping: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def stored(self) -> list[StoredMessage]:
        """The replies that are stored, in order."""
        return [reply.stored for reply in self.replies if reply.stored is not None]


class Replies:
    """All answers under way on this server.

    Args:
        bots: who replies.
        store_of: says where a chat stands, by its id; there its replies are kept.
    """

    def __init__(self, bots: Bots, store_of: Callable[[str], Store]) -> None:
        self._bots, self._store_of = bots, store_of
        self._answers: dict[tuple[str, str], Answer] = {}  # by session and request, the latest last
        self._lock = threading.Lock()

    def begin(
        self,
        owner: str,
        session_id: str,
        parent: str,
        models: Sequence[str],
        count: int,
        sampling: Sampling,
        seed: int,
        client_id: str,
    ) -> Answer | None:
        """Begins the replies to a message; returns those under way if the same request has begun them.

        Args:
            owner: whose chat.
            session_id: the chat.
            parent: the message that is answered; what stands above it is the context.
            models: the bots that reply.
            count: replies of each.
            sampling: how tokens are chosen.
            seed: with a reply's index, fixes it.
            client_id: of the request.

        Returns:
            The answer, or None when this request was answered before.

        Raises:
            StoreError: there is no such chat or message of this owner's.
        """
        key = session_id, client_id
        store = self._store_of(session_id)
        made = (message.client_id for message in store.children(owner, session_id, parent))
        is_made = any(one.startswith(f"{client_id}:") for one in made)
        conversation = store.conversation(owner, session_id, leaf=parent)
        replies = tuple(RunningReply(model, index) for model in models for index in range(count))
        with self._lock:
            if key in self._answers:
                return self._answers[key]
            if is_made:
                return None
            answer = self._answers[key] = Answer(owner, session_id, parent, client_id, replies)
        left = [len(replies)]
        for reply in replies:
            given = (answer, reply, conversation, sampling, seed, left)
            threading.Thread(target=self._decode, args=given, name="reply", daemon=True).start()
        return answer

    def of(self, owner: str, session_id: str) -> Answer | None:
        """Returns the latest answer that is under way in a chat."""
        with self._lock:
            found = [
                answer
                for (session, _), answer in self._answers.items()
                if session == session_id and answer.owner == owner
            ]
        return found[-1] if found else None

    def stop(self, owner: str, session_id: str, parent: str | None = None) -> list[Answer]:
        """Stops the replies that are decoded in a chat; below one message alone if `parent` is given."""
        with self._lock:
            found = [
                answer
                for (session, _), answer in self._answers.items()
                if session == session_id and answer.owner == owner and parent in (None, answer.parent)
            ]
        for answer in found:
            answer.stopping.set()
        return found

    def _decode(
        self,
        answer: Answer,
        reply: RunningReply,
        conversation: Conversation,
        sampling: Sampling,
        seed: int,
        left: list[int],
    ) -> None:
        until = time.monotonic() + _DECODED_SECONDS

        def is_over() -> bool:
            return answer.stopping.is_set() or time.monotonic() > until

        try:
            engine = self._bots.engine(reply.model)
            for piece in engine.stream(conversation, sampling, seed, reply.index, stop=is_over):
                if isinstance(piece, Reply):
                    self._keep(answer, reply, piece)
                else:
                    reply.text += piece
        except DialogError as error:
            reply.error = error
        finally:
            with self._lock:
                reply.has_ended = True
                left[0] -= 1
                if not left[0]:
                    del self._answers[answer.session_id, answer.client_id]
                    answer.ended.set()

    def _keep(self, answer: Answer, reply: RunningReply, finished: Reply) -> None:
        if not finished.text:
            return
        models = {one.model for one in answer.replies}
        reply.stored = self._store_of(answer.session_id).add_reply(
            answer.owner,
            answer.session_id,
            answer.parent,
            finished,
            reply.model,
            f"{answer.client_id}:{reply.model}:{reply.index}",
            # Of several models none is chosen by itself.
            activate=len(models) == 1 and reply.index == 0,
        )
