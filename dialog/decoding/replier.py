"""Replier: a conversation in, replies out; what the command, the page and the evaluation talk to.

A reply is fixed by the model, its context, its sampling, its seed and its index: it draws from a
generator of its own, the same number of times a token whatever stands beside it in a batch.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from dialog.conversation import Conversation
from dialog.decoding.batch import DecodingBatch
from dialog.decoding.draft import Draft, Trace
from dialog.decoding.pieces import ReplyPieces, text_of
from dialog.decoding.reading import ContextReader, Reading, joined_texts
from dialog.decoding.replies import Reply, Sampling
from dialog.decoding.sampling import History, reply_generator
from dialog.decoding.single_row import single_row_of
from dialog.decoding.stopping import StopWatch
from dialog.errors import UsageError
from dialog.models.base import DecoderState, ReplyModel
from dialog.models.int8 import decode_in_int8
from dialog.models.registry import check_answers
from dialog.run_folder import Run
from dialog.text.tokenizer import Tokenizer

__all__ = ["Asked", "Replier", "in_int8"]

_CACHE_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Asked:
    """A reply that is asked for.

    Attributes:
        reading: of the conversation.
        sampling: how its tokens are chosen.
        seed: with `index`, fixes it.
        index: its place among the replies of this seed.
        num_top: how many of the most probable tokens are noted at each place, beside the log-probability
            of the token itself; None notes neither.
    """

    reading: Reading
    sampling: Sampling
    seed: int
    index: int
    num_top: int | None = None


class Replier:
    """Answers conversations with one model; may be called from several threads at once.

    Args:
        model: put into evaluation mode; on any device.
        tokenizer: the model's own.
        model_hash: SHA-256 of the weights, for the replies.
        cache_bytes: for the context states that are kept between calls.
    """

    def __init__(
        self, model: ReplyModel, tokenizer: Tokenizer, model_hash: str, cache_bytes: int = _CACHE_BYTES
    ) -> None:
        self.model = model.eval()
        """The model, in evaluation mode."""
        self.tokenizer = tokenizer
        """The model's own."""
        self.model_hash = model_hash
        self.reader = ContextReader(self.model, tokenizer, cache_bytes)
        """Reads the contexts, and keeps their states."""
        self._alone = functools.cache(lambda: single_row_of(model))

    @staticmethod
    def from_run(run: Run, cache_bytes: int = _CACHE_BYTES) -> "Replier":
        """Makes a Replier of a loaded run folder.

        Raises:
            UsageError: its model knows no context, or was trained backwards.
        """
        check_answers(run.name, run.direction, run.folder)
        return Replier(run.model, run.tokenizer, run.model_hash, cache_bytes)

    def reply(
        self, conversation: Conversation, sampling: Sampling, num_replies: int = 1, seed: int = 0
    ) -> list[Reply]:
        """Returns replies to the last turn of a conversation, decoded together.

        Raises:
            UsageError: no turn to answer, or fewer than one reply asked for.
        """
        return self.reply_all([conversation], sampling, num_replies, seed)[0]

    def reply_all(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling,
        num_replies: int = 1,
        seed: int | Sequence[int] = 0,
    ) -> list[list[Reply]]:
        """Returns for each conversation its replies, all decoded in one batch.

        Args:
            conversations: whose last turns are answered.
            sampling: how tokens are chosen.
            num_replies: to each.
            seed: of all, which then draw alike; or one for each conversation.
        """
        self.check(sampling, range(num_replies))
        if not conversations:
            return []
        seeds = [seed] * len(conversations) if isinstance(seed, int) else seed
        readings = [self.open(conversation) for conversation in conversations]
        self.reader.read_all(readings)
        asked = [
            Asked(reading, sampling, own, index)
            for reading, own in zip(readings, seeds, strict=True)
            for index in range(num_replies)
        ]
        batch = self.new_batch()
        drafts, state = self.begin(asked)
        batch.join(drafts, state)
        for _ in batch.run():
            pass
        replies = [self.finish(draft) for draft in drafts]
        return [replies[i : i + num_replies] for i in range(0, len(replies), num_replies)]

    def stream(
        self,
        conversation: Conversation,
        sampling: Sampling,
        seed: int = 0,
        index: int = 0,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[str | Reply]:
        """Yields a reply in pieces of text, none of which ends inside a character, and at last the Reply.

        Args:
            conversation: whose last turn is answered.
            sampling: how tokens are chosen.
            seed: with `index`, fixes the reply.
            index: its place among the replies of this seed.
            stop: asked before each token; when it says True the reply ends there, by `stop`.
        """
        self.check(sampling, range(index, index + 1))
        reading = self.open(conversation)
        self.reader.read_all([reading])
        (draft,), state = self.begin([Asked(reading, sampling, seed, index)])
        batch, pieces = self.new_batch(), ReplyPieces(draft, self.tokenizer)
        batch.join([draft], state)
        while draft.ended is None:
            if stop is not None and stop():
                batch.leave([draft])
                break
            batch.step()
            piece = pieces.take()
            if piece:
                yield piece
        rest = pieces.finish()
        if rest:
            yield rest
        yield self.finish(draft)

    def check(self, sampling: Sampling, indices: range, num_top: int | None = None) -> None:
        """Checks that the replies `indices` can be asked for, and that `num_top` tokens can be noted of them.

        Raises:
            UsageError: there is none, a beam search finds fewer, or its tokens were to be noted.
        """
        if num_top is not None and (num_top < 0 or sampling.method == "beam"):
            raise UsageError(
                f"{num_top} probable tokens were to be noted at each place, but it must be 0 or more, and not "
                "of a beam, whose replies are found whole: take the method 'sample' or 'greedy'"
            )
        if not indices:
            raise UsageError(f"{len(indices)} replies were asked for, but it must be 1 or more")
        if sampling.method == "beam" and not self.model.is_latent and indices[-1] >= sampling.beam_size:
            raise UsageError(
                f"reply {indices[-1] + 1} was asked for, but a beam of {sampling.beam_size} finds "
                f"{sampling.beam_size}: ask for fewer, or raise the beam size"
            )

    def open(self, conversation: Conversation) -> Reading:
        """Begins to read a conversation; `reader` goes on with it.

        Raises:
            UsageError: there is no turn to answer.
        """
        return self.reader.open(conversation)

    @torch.inference_mode()
    def begin(self, asked: Sequence[Asked]) -> tuple[list[Draft], DecoderState]:
        """Starts replies to conversations that are read; returns the drafts and their planned states."""
        states = [one.reading.state for one in asked]
        context = states[0] if len(states) == 1 else type(states[0]).concat(states)
        generators = [reply_generator(one.seed, one.index) for one in asked]
        planned = self.model.plan(context, generators)
        drafts = [
            Draft(History.of(one.sampling, generator), one.seed, one.index, one.reading.context_hash)
            for one, generator in zip(asked, generators, strict=True)
        ]
        for draft, one in zip(drafts, asked, strict=True):
            if one.sampling.stop:
                draft.stops = StopWatch(self.tokenizer, one.sampling.stop)
            if one.num_top is not None:
                draft.trace = Trace(one.num_top)
        if planned.latents is not None:
            for draft, latent in zip(drafts, planned.latents.tolist(), strict=True):
                draft.latent = tuple(latent)
        return drafts, planned

    def count_tokens(self, conversation: Conversation) -> int:
        """Returns how many tokens the texts of a conversation are."""
        return sum(map(len, self.tokenizer.encode_all(joined_texts(conversation))))

    def new_batch(self) -> DecodingBatch:
        """Returns an empty batch of this model's."""
        return DecodingBatch(self.model, self._alone)

    def finish(self, draft: Draft) -> Reply:
        """Returns the reply that a draft has become."""
        assert draft.ended is not None, "the reply is under way"
        return Reply(
            text=text_of(draft, self.tokenizer),
            tokens=tuple(draft.tokens),
            ended=draft.ended,
            log_probability=draft.log_probability,
            filtered_log_probability=draft.filtered_log_probability,
            latent=draft.latent,
            seed=draft.seed,
            index=draft.index,
            sampling=draft.sampling,
            model_hash=self.model_hash,
            context_hash=draft.context_hash,
            scores=draft.scores,
        )


def in_int8(run: Run) -> Run:
    """Returns a run whose model decodes in int8; its hash is another one, for its replies are.

    Raises:
        UsageError: the model's decoder is of another kind, or PyTorch has no such products.
    """
    decode_in_int8(run.model)
    return replace(run, model_hash=hashlib.sha256(f"{run.model_hash} int8".encode()).hexdigest())
