"""The form of `/v1/chat/completions`: what OpenAI's clients read, plain and as a stream of chunks.

https://platform.openai.com/docs/api-reference/chat/object and …/chat/streaming. Beside their fields stands `hred`,
by which a reply can be had again: seed, hashes of model and context, and the messages of a session.
"""

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.api.pending import Piece
from app.api.problems import Problem
from dialog.decoding.replies import Reply
from dialog.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from dialog.decoding.draft import Draft

__all__ = ["ChatForm", "error_body"]

_FINISH = {"end": "stop", "stop": "stop", "length": "length"}


def error_body(problem: Problem) -> bytes:
    """Returns the JSON of a problem; in ASCII, for the sentence may quote what no UTF-8 can hold."""
    return json.dumps(problem.to_openai()).encode()


@dataclass(slots=True)
class ChatForm:
    """OpenAI's form of one request's answer; see `app.api.replying.Form`.

    Attributes:
        model: the bot's name.
        model_hash: SHA-256 of its weights, hexadecimal.
        tokenizer: the model's own.
        num_prompt_tokens: of the conversation.
        num_replies: how many are asked for.
        has_logprobs: whether each token's log-probability is told.
        includes_usage: whether a stream ends with the counts of tokens.
        session: what is told of the stored chat; filled while the replies are decoded.
    """

    model: str
    model_hash: str
    tokenizer: Tokenizer
    num_prompt_tokens: int
    num_replies: int
    has_logprobs: bool
    includes_usage: bool
    session: dict[str, Any] = field(default_factory=dict)
    _id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    _created: int = field(default_factory=lambda: int(time.time()))
    _sent: dict[int, int] = field(default_factory=dict)  # characters, by the reply's index

    def body(self, replies: Sequence[Reply], pieces: Sequence[Piece]) -> bytes:
        """Returns a `chat.completion`."""
        traced = {piece.index: piece for piece in pieces}
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", "content": reply.text, "refusal": None},
                "logprobs": self._logprobs(traced[index]) if index in traced else None,
                "finish_reason": _FINISH[reply.ended],
            }
            for index, reply in enumerate(replies)
        ]
        return _json(
            {
                **self._head("chat.completion"),
                "choices": choices,
                "usage": self._usage(replies),
                "hred": self._own(replies),
            }
        )

    def problem(self, problem: Problem) -> bytes:
        """Returns the JSON of a problem."""
        return error_body(problem)

    def begin(self) -> bytes:
        """Returns a chunk for each reply that names its role."""
        return b"".join(
            self._chunk(index, {"role": "assistant", "content": "", "refusal": None})
            for index in range(self.num_replies)
        )

    def events(self, pieces: Sequence[Piece]) -> bytes:
        """Returns a chunk for each piece that says something."""
        events = b""
        for piece in pieces:
            if piece.text or (self.has_logprobs and piece.tokens):
                self._sent[piece.index] = self._sent.get(piece.index, 0) + len(piece.text)
                events += self._chunk(piece.index, {"content": piece.text}, self._logprobs(piece))
        return events

    def end(self, replies: Sequence[Reply]) -> bytes:
        """Returns what was not sent yet (a stored reply comes whole), why each reply ended, and the counts."""
        events = b""
        for index, reply in enumerate(replies):
            rest = reply.text[self._sent.get(index, 0) :]
            if rest:
                events += self._chunk(index, {"content": rest})
        last = len(replies) - 1
        for index, reply in enumerate(replies):
            own = {"hred": self._own(replies)} if index == last else {}
            events += self._chunk(index, {}, finish=_FINISH[reply.ended], **own)
        if self.includes_usage:
            head = self._head("chat.completion.chunk")
            events += _event({**head, "choices": [], "usage": self._usage(replies)})
        return events + b"data: [DONE]\n\n"

    def broken(self, problem: Problem) -> bytes:
        """Returns the problem as the last event."""
        return b"data: " + error_body(problem) + b"\n\n"

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self.model,
            "system_fingerprint": f"hred-{self.model_hash[:16]}",
        }

    def _chunk(
        self,
        index: int,
        delta: dict[str, Any],
        logprobs: dict[str, Any] | None = None,
        finish: str | None = None,
        **own: Any,
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        usage = {"usage": None} if self.includes_usage else {}
        return _event({**self._head("chat.completion.chunk"), "choices": [choice], **usage, **own})

    def _usage(self, replies: Sequence[Reply]) -> dict[str, int]:
        num_reply_tokens = sum(len(reply.tokens) for reply in replies)
        return {
            "prompt_tokens": self.num_prompt_tokens,
            "completion_tokens": num_reply_tokens,
            "total_tokens": self.num_prompt_tokens + num_reply_tokens,
        }

    def _own(self, replies: Sequence[Reply]) -> dict[str, Any]:
        first = replies[0]
        own: dict[str, Any] = {
            "seed": first.seed,
            "model_hash": first.model_hash,
            "context_hash": first.context_hash,
        }
        return own | self.session

    def _logprobs(self, piece: Piece) -> dict[str, Any] | None:
        if not self.has_logprobs:
            return None
        told = [self._told(piece.draft, place) for place in piece.tokens]
        return {"content": told, "refusal": None}

    def _told(self, draft: "Draft", place: int) -> dict[str, Any]:
        trace = draft.trace
        assert trace is not None, "log-probabilities were asked for"
        told = self._token(draft.tokens[place], trace.log_probabilities[place], is_first=place == 0)
        top = [self._token(token, nats, is_first=place == 0) for token, nats in trace.top[place]]
        return {**told, "top_logprobs": top}

    def _token(self, token: int, nats: float, is_first: bool) -> dict[str, Any]:
        data = self.tokenizer.token_bytes[token]
        if is_first:
            data = data.lstrip(b" ")  # as in the text, which begins with no space
        return {"token": data.decode(errors="replace"), "logprob": nats, "bytes": list(data)}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _event(value: Any) -> bytes:
    return b"data: " + _json(value) + b"\n\n"
