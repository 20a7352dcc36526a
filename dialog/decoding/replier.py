"""Replier: a conversation in, replies out; what the command, the page and the evaluation talk to.

A reply is fixed by the model, its context, its sampling, its seed and its index: it draws from a
generator of its own, the same number of times a token whatever stands beside it in a batch.
"""

import functools
from collections.abc import Callable, Iterator, Sequence

import torch

from dialog.conversation import Conversation
from dialog.decoding.batch import DecodingBatch, Draft
from dialog.decoding.context_cache import ContextCache, prefix_hashes
from dialog.decoding.replies import Reply, Sampling
from dialog.decoding.sampling import History, reply_generator
from dialog.decoding.single_row import single_row_of
from dialog.errors import UsageError
from dialog.models.base import ContextState, DecoderState, ReplyModel
from dialog.run_folder import Run
from dialog.text.batches import EOS, utterances_of
from dialog.text.normalise import normalise
from dialog.text.tokenizer import StreamDecoder, Tokenizer

__all__ = ["Replier"]

_CACHE_BYTES = 64 * 2**20


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
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._model_hash = model_hash
        self._cache = ContextCache(cache_bytes)
        self._alone = functools.cache(lambda: single_row_of(model))

    @staticmethod
    def from_run(run: Run) -> "Replier":
        """Makes a Replier of a loaded run folder."""
        return Replier(run.model, run.tokenizer, run.model_hash)

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
        if num_replies < 1:
            raise UsageError(f"{num_replies} replies were asked for, but it must be 1 or more")
        drafts, state = self._start(conversations, sampling, range(num_replies), seed)
        batch = DecodingBatch(self._model, self._alone)
        batch.join(drafts, state)
        for _ in batch.run():
            pass
        replies = [self._finish(draft) for draft in drafts]
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
        (draft,), state = self._start([conversation], sampling, [index], seed)
        batch, text = DecodingBatch(self._model, self._alone), StreamDecoder(self._tokenizer)
        batch.join([draft], state)
        while draft.ended is None:
            if stop is not None and stop():
                draft.ended = "stop"
                break
            batch.step()
            piece = "" if draft.tokens[-1] == EOS else text.push(draft.tokens[-1])
            if piece:
                yield _without_nul(piece)
        rest = text.finish()
        if rest:
            yield _without_nul(rest)
        yield self._finish(draft)

    @torch.inference_mode()
    def _start(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling,
        indices: Sequence[int],
        seed: int | Sequence[int],
    ) -> tuple[list[Draft], DecoderState]:
        contexts, states = [], []
        seeds = [seed] * len(conversations) if isinstance(seed, int) else seed
        for conversation, own in zip(conversations, seeds, strict=True):
            context_hash, state = self._read(conversation)
            states += [state] * len(indices)
            contexts += [(own, index, context_hash) for index in indices]
        context = states[0] if len(states) == 1 else type(states[0]).concat(states)
        generators = [reply_generator(own, index) for own, index, _ in contexts]
        planned = self._model.plan(context, generators)
        drafts = [
            Draft(History.of(sampling, generator), *asked)
            for generator, asked in zip(generators, contexts, strict=True)
        ]
        if planned.latents is not None:
            for draft, latent in zip(drafts, planned.latents.tolist(), strict=True):
                draft.latent = tuple(latent)
        return drafts, planned

    def _read(self, conversation: Conversation) -> tuple[str, ContextState]:
        """Reads what of a conversation is not known yet; returns its hash and its state."""
        texts = _joined_texts(conversation)
        if not texts:
            raise UsageError("the conversation has no text to answer; give at least one turn with words")
        hashes = prefix_hashes(texts)
        known, state = self._cache.longest(hashes)
        if state is None:
            state = self._model.start(1)
        device = next(self._model.parameters()).device
        for tokens in self._tokenizer.encode_all(texts[known:]):
            state = self._model.observe(state, utterances_of([tokens]).to(device))
        self._cache.keep(hashes[-1], state)
        return hashes[-1], state

    def _finish(self, draft: Draft) -> Reply:
        assert draft.ended is not None, "the reply is under way"
        return Reply(
            text=normalise(_without_nul(self._tokenizer.decode(draft.tokens))),
            tokens=tuple(draft.tokens),
            ended=draft.ended,
            log_probability=draft.log_probability,
            filtered_log_probability=draft.filtered_log_probability,
            latent=draft.latent,
            seed=draft.seed,
            index=draft.index,
            sampling=draft.sampling,
            model_hash=self._model_hash,
            context_hash=draft.context_hash,
            scores=draft.scores,
        )


def _without_nul(text: str) -> str:
    """No text of people holds NUL, and no database takes it; as a byte it could still be drawn."""
    return text.replace("\0", "\ufffd")


def _joined_texts(conversation: Conversation) -> list[str]:
    """Returns the texts of `join_neighbours` over the normalised turns that have words.

    It passes over the whole chat at every turn, so it makes no objects on its way.
    """
    texts: list[str] = []
    speaker = None
    for turn in conversation.turns:
        text = normalise(turn.text)
        if text and texts and turn.speaker == speaker:
            texts[-1] = f"{texts[-1]} {text}"
        elif text:
            texts.append(text)
            speaker = turn.speaker
    return texts
