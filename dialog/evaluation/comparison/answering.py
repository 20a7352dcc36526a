"""Replies of a run by a decoder to every context, written as they come.

Conversations are answered in blocks, within a block turn by turn, all of its conversations together. A block is
decoded by itself, nothing is carried over to the next, and its lines are written when it is done: a comparison that was
stopped goes on with the next block, and ends with the same bytes. A reply's seed is made of the comparison's, its
conversation's name and its turn, so that no reply depends on which others are asked for.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dialog.conversation import Conversation, Turn
from dialog.decoding.reading import ContextReader
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Reply
from dialog.decoding.rerank import Ranker
from dialog.evaluation.comparison.decoders import Decoder
from dialog.evaluation.comparison.material import Context, Material

__all__ = ["Answer", "answer_all", "read_answers", "reply_seed", "write_answers"]

_BLOCK = 32  # conversations that are answered together
_CACHE_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Answer:
    """The replies to one context.

    Attributes:
        conversation: its id.
        turn: of the target.
        replies: texts, the first being the one that single replies are judged by.
        details: what is needed to get them again.
    """

    conversation: str
    turn: int
    replies: tuple[str, ...]
    details: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        return {
            "conversation": self.conversation,
            "turn": self.turn,
            "replies": list(self.replies),
            **self.details,
        }

    @staticmethod
    def from_json(values: dict[str, Any]) -> "Answer":
        """Is the inverse of `to_json`."""
        details = {k: v for k, v in values.items() if k not in ("conversation", "turn", "replies")}
        return Answer(values["conversation"], values["turn"], tuple(values["replies"]), details)


def reply_seed(seed: int, conversation: str, turn: int) -> int:
    """Returns the seed of the replies to one context."""
    text = f"{seed}/{turn}/{conversation}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:6], "big")


def answer_all(
    replier: Replier,
    decoder: Decoder,
    ranker: Ranker | None,
    material: Material,
    num_replies: int,
    seed: int,
    path: Path,
    progress: Callable[[int], None] = lambda contexts: None,
) -> list[Answer]:
    """Answers every context, but for what a file holds already.

    Args:
        replier: of the run.
        decoder: how.
        ranker: that chooses among candidates; None takes replies as they come.
        material: whose contexts are answered.
        num_replies: to each context; a model that cannot say several gives fewer.
        seed: of all.
        path: of the file, which is only there when all is done; until then another is beside it.
        progress: is told how many contexts were answered.

    Returns:
        An answer for each of `material.contexts`, in their order.
    """
    if path.exists():
        return read_answers(path)
    begun = path.with_suffix(".part")
    blocks = _blocks(material)
    done = _whole_blocks(begun, blocks)
    progress(sum(map(len, blocks[:done])))
    with begun.open("ab") as stream:
        for block in blocks[done:]:
            answers = _answer_block(replier, decoder, ranker, material, block, num_replies, seed)
            stream.write(b"".join(_line(answer) for answer in answers))
            stream.flush()
            progress(len(block))
        os.fsync(stream.fileno())
    begun.replace(path)
    return read_answers(path)


def write_answers(path: Path, answers: Iterable[Answer]) -> None:
    """Writes answers, a line each."""
    begun = path.with_suffix(".part")
    begun.write_bytes(b"".join(map(_line, answers)))
    begun.replace(path)


def read_answers(path: Path) -> list[Answer]:
    """Reads the answers of a file."""
    return [Answer.from_json(json.loads(line)) for line in path.read_bytes().splitlines()]


def _line(answer: Answer) -> bytes:
    return json.dumps(answer.to_json(), ensure_ascii=False).encode() + b"\n"


def _blocks(material: Material) -> list[list[Context]]:
    """Returns the contexts of each block of conversations, in their order."""
    blocks: list[list[Context]] = [[] for _ in range(-(-len(material.ids) // _BLOCK))]
    for context in material.contexts:
        blocks[context.conversation // _BLOCK].append(context)
    return blocks


def _whole_blocks(path: Path, blocks: Sequence[Sequence[Context]]) -> int:
    """Returns how many blocks stand whole in a file, and cuts off what is behind them."""
    if not path.exists():
        return 0
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    count = whole = kept = 0
    for block in blocks:
        count += len(block)
        if count > len(lines):
            break
        whole, kept = whole + 1, count
    path.write_bytes(b"".join(lines[:kept]))
    return whole


def _answer_block(
    replier: Replier,
    decoder: Decoder,
    ranker: Ranker | None,
    material: Material,
    block: Sequence[Context],
    num_replies: int,
    seed: int,
) -> list[Answer]:
    replier.reader = ContextReader(replier.model, replier.tokenizer, _CACHE_BYTES)
    found: dict[tuple[int, int], Answer] = {}
    for turn in sorted({context.turn for context in block}):
        contexts = [context for context in block if context.turn == turn]
        conversations = [_conversation(context) for context in contexts]
        seeds = [reply_seed(seed, material.ids[context.conversation], turn) for context in contexts]
        asked = _num_asked(replier, decoder, num_replies)
        all_replies = replier.reply_all(conversations, decoder.sampling, asked, seeds)
        for context, conversation, own_seed, replies in zip(
            contexts, conversations, seeds, all_replies, strict=True
        ):
            chosen = replies if ranker is None else ranker.rerank(conversation, replies)[:num_replies]
            name = material.ids[context.conversation]
            found[context.conversation, turn] = _answer(
                name, turn, own_seed, chosen, num_replies, decoder, replier
            )
    return [found[context.conversation, context.turn] for context in block]


def _conversation(context: Context) -> Conversation:
    """Turns that `hred prepare` left apart stay apart, so speakers take turns here."""
    turns = (Turn("AB"[place % 2], text) for place, text in enumerate(context.texts))
    return Conversation("", tuple(turns))


def _num_asked(replier: Replier, decoder: Decoder, num_replies: int) -> int:
    """Returns how many replies must be decoded; where all would be the same, one."""
    if decoder.ranker is not None:
        return max(decoder.candidates, num_replies)
    if replier.model.is_latent:
        return num_replies
    if decoder.sampling.method == "beam":
        return min(num_replies, decoder.sampling.beam_size)
    return num_replies if decoder.draws else 1


def _answer(
    conversation: str,
    turn: int,
    seed: int,
    chosen: Sequence[Reply],
    num_replies: int,
    decoder: Decoder,
    replier: Replier,
) -> Answer:
    details = {
        "seed": seed,
        "context_hash": chosen[0].context_hash,
        "indices": [reply.index for reply in chosen],
        "ended": [reply.ended for reply in chosen],
        "log_probabilities": [round(reply.log_probability, 6) for reply in chosen],
    }
    texts = tuple(reply.text for reply in chosen)
    if len(texts) == 1 and not decoder.draws and not replier.model.is_latent:
        texts *= num_replies
    return Answer(conversation, turn, texts, details)
