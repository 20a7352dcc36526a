"""Continuous batching: one model, one worker, and requests whose replies join and leave its batch at any token.

Yu et al. 2022, "Orca: A Distributed Serving System for Transformer-Based Generative Models", section 4.1
(iteration-level scheduling). A round of the worker lets waiting requests in, reads one utterance of each
conversation that is not read yet, and decodes one token of every reply under way. A long history that must
be read anew so holds nobody up. Each reply is the one that `Replier.reply` gives alone.

Nobody waits for a reader: the worker only writes tokens down, and those who want them look (`Ticket`).
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from dialog.conversation import Conversation
from dialog.decoding.batch import rows_of
from dialog.decoding.draft import Draft
from dialog.decoding.pieces import ReplyPieces
from dialog.decoding.reading import Reading
from dialog.decoding.replier import Asked, Replier
from dialog.decoding.replies import Reply, Sampling
from dialog.errors import BusyError, UsageError

__all__ = ["Engine", "Ticket"]

_JOIN_SHARE = 1 / 4
"""New replies wait until they are this share of those under way, for letting rows in copies the state …"""
_JOIN_ROUNDS = 8
"""… but no longer than so many tokens."""


class Ticket:
    """A request to an `Engine`: some replies to one conversation.

    Attributes:
        future: its replies, by index; those that had begun, if it was cancelled. Callbacks run in the
            engine's worker and must be short.
        drafts: its replies under way; their `tokens` grow while they are decoded.
        changed: set when tokens have come, for one who waits.
    """

    def __init__(self, reading: Reading, asked: list[Asked]) -> None:
        self.future: Future[list[Reply]] = Future()
        self.future.set_running_or_notify_cancel()
        self.drafts: list[Draft] = []
        self.changed = threading.Event()
        self._reading, self._asked = reading, deque(asked)
        self._is_cancelled = False
        self._asked_at = time.perf_counter()

    def cancel(self) -> None:
        """Ends its replies at the next token, by `stop`; what there is of them is its result."""
        self._is_cancelled = True

    @property
    def _rows_to_come(self) -> int:
        return sum(rows_of(asked.sampling) for asked in self._asked)

    @property
    def num_tokens(self) -> int:
        """Tokens decoded so far, of all its replies."""
        return sum(len(draft.tokens) for draft in self.drafts)


class Engine:
    """Answers many conversations at once with one model; may be called from any thread.

    Args:
        replier: whose model, tokenizer and kept contexts are used.
        max_rows: replies that are decoded at once; further ones wait.
        max_waiting: requests that may wait.
        on_reply: called in the worker with each reply that has ended, and the seconds since it was asked for;
            must be short, and raise nothing.
    """

    def __init__(
        self,
        replier: Replier,
        max_rows: int = 256,
        max_waiting: int = 1024,
        on_reply: Callable[[Reply, float], None] | None = None,
    ) -> None:
        self.replier = replier
        self._on_reply = on_reply
        self._max_rows, self._max_waiting = max_rows, max_waiting
        self._waiting: deque[Ticket] = deque()
        self._reading: list[Ticket] = []
        self._ready: deque[Ticket] = deque()
        self._batch = replier.new_batch()
        self._owners: dict[int, Ticket] = {}  # by id(draft)
        self._rounds_waited = self._num_tokens = 0
        self._is_closed = self._is_idle = False
        self._has_work = threading.Condition()
        self._worker = threading.Thread(target=self._run, name="engine", daemon=True)
        self._worker.start()

    @staticmethod
    def _refusal() -> BusyError:
        return BusyError("the server is stopping; send the message again in a moment")

    @property
    def num_waiting(self) -> int:
        """Requests that no reply of is being decoded yet."""
        return (
            len(self._waiting) + len(self._reading) + sum(not ticket.drafts for ticket in list(self._ready))
        )

    @property
    def num_running(self) -> int:
        """Replies that are being decoded."""
        return len(self._owners)

    @property
    def num_tokens(self) -> int:
        """Tokens decoded since the start."""
        return self._num_tokens

    def submit(
        self,
        conversation: Conversation,
        sampling: Sampling,
        num_replies: int = 1,
        seed: int = 0,
        first_index: int = 0,
        num_top: int | None = None,
    ) -> Ticket:
        """Asks for replies and returns at once.

        Args:
            conversation: whose last turn is answered.
            sampling: how tokens are chosen.
            num_replies: how many.
            seed: with the index, fixes each.
            first_index: of the first; the others follow.
            num_top: how many of the most probable tokens the drafts' `trace` notes at each place, beside the
                log-probability of the token itself; None notes neither.

        Raises:
            UsageError: no turn to answer, no reply asked for, or a beam that is too large or too small.
            BusyError: too many requests wait, or the engine is closed.
        """
        self.replier.check(sampling, range(first_index, first_index + num_replies), num_top)
        if rows_of(sampling) > self._max_rows:
            raise UsageError(
                f"the beam size is {sampling.beam_size}, but this server decodes {self._max_rows} rows at once: "
                "choose a smaller beam"
            )
        if len(self._waiting) >= self._max_waiting:
            raise self._busy()
        reading = self.replier.open(conversation)
        asked = [Asked(reading, sampling, seed, first_index + n, num_top) for n in range(num_replies)]
        ticket = Ticket(reading, asked)
        with self._has_work:
            if self._is_closed:
                raise self._refusal()
            if len(self._waiting) >= self._max_waiting:
                raise self._busy()
            self._waiting.append(ticket)
            self._has_work.notify_all()
        return ticket

    def reply(
        self, conversation: Conversation, sampling: Sampling, num_replies: int = 1, seed: int = 0
    ) -> list[Reply]:
        """As `Replier.reply`; waits for the replies.

        Raises:
            UsageError, BusyError: as `submit`.
        """
        return self.submit(conversation, sampling, num_replies, seed).future.result()

    def stream(
        self,
        conversation: Conversation,
        sampling: Sampling,
        seed: int = 0,
        index: int = 0,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[str | Reply]:
        """As `Replier.stream`; a reply that is stopped before it began yields nothing.

        `stop` is asked at each token that comes. A reader that goes away stops its reply.
        """
        ticket = self.submit(conversation, sampling, 1, seed, index)
        ticket.future.add_done_callback(lambda _: ticket.changed.set())
        pieces: ReplyPieces | None = None
        try:
            while True:
                ticket.changed.wait()
                ticket.changed.clear()
                is_done = ticket.future.done()
                if stop is not None and stop():
                    ticket.cancel()
                if pieces is None and ticket.drafts:
                    pieces = ReplyPieces(ticket.drafts[0], self.replier.tokenizer)
                piece = pieces.take() if pieces else ""
                if piece:
                    yield piece
                if is_done:
                    break
        finally:
            ticket.cancel()
        rest = pieces.finish() if pieces else ""
        if rest:
            yield rest
        yield from ticket.future.result()

    def close(self, patience: float = 0.0) -> None:
        """Ends the worker; what is under way after `patience` seconds fails with a `BusyError`.

        It waits no longer than until all that was asked is answered, also what is asked meanwhile. A second call
        without patience ends the first one's.
        """
        with self._has_work:
            self._has_work.wait_for(
                lambda: self._is_closed or (self._is_idle and not self._waiting), patience
            )
            self._is_closed = True
            self._has_work.notify_all()
        self._worker.join()

    def _busy(self) -> BusyError:
        return BusyError(
            f"busy: {len(self._waiting)} requests wait already, as many as this server takes; try again in a moment"
        )

    def _run(self) -> None:
        while True:
            with self._has_work:
                while not (self._is_closed or self._waiting or self._reading or self._ready or self._owners):
                    self._is_idle = True
                    self._has_work.notify_all()
                    self._has_work.wait()
                self._is_idle = False
                if self._is_closed:
                    break
                self._admit()
            try:
                self._round()
            except Exception as error:  # a model that fails, or no memory: those in the batch are told
                self._fail(error)
        self._fail(self._refusal())

    def _admit(self) -> None:
        """Lets requests in while there are rows for them, several at a time where many are under way."""
        running = len(self._owners)
        self._rounds_waited += 1
        is_due = len(self._waiting) >= running * _JOIN_SHARE or self._rounds_waited >= _JOIN_ROUNDS
        if not self._waiting or not is_due:
            return
        self._rounds_waited = 0
        rows = len(self._batch) + sum(ticket._rows_to_come for ticket in (*self._reading, *self._ready))
        while self._waiting and rows < self._max_rows:
            ticket = self._waiting.popleft()
            if ticket._is_cancelled:
                ticket.future.set_result([])
                continue
            rows += ticket._rows_to_come
            self._reading.append(ticket)

    def _round(self) -> None:
        self._drop_cancelled()
        self.replier.reader.advance([ticket._reading for ticket in self._reading])
        self._ready += [ticket for ticket in self._reading if not ticket._reading.unread]
        self._reading = [ticket for ticket in self._reading if ticket._reading.unread]
        self._join()
        if not self._owners:
            return
        progressing = {id(ticket): ticket for ticket in self._owners.values()}
        self._num_tokens += len(self._owners)
        ended = self._batch.step()
        for draft in ended:
            self._settle(self._owners.pop(id(draft)))
        for ticket in progressing.values():
            ticket.changed.set()

    def _join(self) -> None:
        """Begins the replies whose conversations are read, as far as there are rows."""
        joining: list[tuple[Ticket, Asked]] = []
        rows = len(self._batch)
        for ticket in self._ready:
            while ticket._asked and rows + rows_of(ticket._asked[0].sampling) <= self._max_rows:
                rows += rows_of(ticket._asked[0].sampling)
                joining.append((ticket, ticket._asked.popleft()))
            if ticket._asked:
                break
        if not joining:
            return
        drafts, state = self.replier.begin([asked for _, asked in joining])
        for (ticket, _), draft in zip(joining, drafts, strict=True):
            self._owners[id(draft)] = ticket
            ticket.drafts.append(draft)
        self._batch.join(drafts, state)
        # Only now, so that a request is counted, and told of a failure, at each moment.
        while self._ready and not self._ready[0]._asked:
            self._ready.popleft()

    def _drop_cancelled(self) -> None:
        gone = [t for t in (*self._reading, *self._ready) if t._is_cancelled]
        gone += [t for t in self._owners.values() if t._is_cancelled]
        gone = list({id(ticket): ticket for ticket in gone}.values())
        if not gone:
            return
        self._reading = [ticket for ticket in self._reading if not ticket._is_cancelled]
        self._ready = deque(ticket for ticket in self._ready if not ticket._is_cancelled)
        leaving = []
        for ticket in gone:
            ticket._asked.clear()
            for draft in ticket.drafts:
                if self._owners.pop(id(draft), None) is not None:
                    leaving.append(draft)
        self._batch.leave(leaving)
        for ticket in gone:
            self._settle(ticket)

    def _settle(self, ticket: Ticket) -> None:
        """Gives a request its replies, if all of them have ended."""
        if not ticket._asked and all(draft.ended for draft in ticket.drafts) and not ticket.future.done():
            replies = [self.replier.finish(draft) for draft in ticket.drafts]
            if self._on_reply is not None:
                seconds = time.perf_counter() - ticket._asked_at
                for reply in replies:
                    self._on_reply(reply, seconds)
            ticket.future.set_result(replies)

    def _fail(self, error: BaseException) -> None:
        """Tells all requests that were let in, and all others if the engine is closed, why there is no reply."""
        tickets = [*self._reading, *self._ready, *self._owners.values()]
        if self._is_closed:
            tickets += self._waiting
            self._waiting.clear()
        self._reading, self._owners = [], {}
        self._ready.clear()
        self._batch = self.replier.new_batch()
        for ticket in tickets:
            if not ticket.future.done():
                ticket.future.set_exception(error)
            ticket.changed.set()
