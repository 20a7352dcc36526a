"""Utterances said again by an autoencoder, and what it says of the codes between two of them.

The loop, its filters and its draws are those of replies: reconstruction i of a seed is the same however many are asked
for, and whatever else is said again beside it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dialog.conversation import Conversation, Turn
from dialog.decoding.draft import Draft
from dialog.decoding.reading import Reading
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Reply, Sampling
from dialog.decoding.sampling import History, reply_generator
from dialog.errors import UsageError
from dialog.models.registry import check_reconstructs
from dialog.models.utterances import UtteranceAutoencoder
from dialog.run_folder import Run
from dialog.text.normalise import normalise

__all__ = ["Reconstruction", "Reconstructor"]


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """What was said from a code.

    Attributes:
        reply: the text, and all that is needed to get it again.
        code: that it was decoded from; of a variational autoencoder, z.
    """

    reply: Reply
    code: tuple[float, ...]


class Reconstructor:
    """Says utterances again with one model.

    Args:
        run: of an autoencoder; see `models.registry`.

    Raises:
        UsageError: its model does not say again what it is given.
    """

    def __init__(self, run: Run) -> None:
        check_reconstructs(run.name, run.folder)
        assert isinstance(run.model, UtteranceAutoencoder)
        self._model = run.model
        self._replier = Replier(run.model, run.tokenizer, run.model_hash, cache_bytes=0)

    @torch.inference_mode()
    def reconstruct(
        self, texts: Sequence[str], sampling: Sampling, num_each: int = 1, seed: int = 0
    ) -> list[list[Reconstruction]]:
        """Says each text again, `num_each` times.

        Args:
            texts: each with words.
            sampling: how tokens are chosen.
            num_each: of each text.
            seed: of all, which then draw alike.

        Raises:
            UsageError: a text without words, or more are asked for than can differ.
        """
        self._check(sampling, num_each)
        readings = self._read(texts)
        if not readings:
            return []
        state = type(readings[0].state).concat([one.state for one in readings for _ in range(num_each)])
        generators = [reply_generator(seed, index) for _ in texts for index in range(num_each)]
        hashes = [one.context_hash for one in readings for _ in range(num_each)]
        codes = self._model.codes(state, generators)
        indices = list(range(num_each)) * len(texts)
        found = self._say(codes, generators, hashes, sampling, seed, indices)
        return [found[start : start + num_each] for start in range(0, len(found), num_each)]

    @torch.inference_mode()
    def walk(
        self, first: str, last: str, num_points: int, sampling: Sampling, seed: int = 0
    ) -> list[Reconstruction]:
        """Says what the codes on the way from one text to another stand for.

        The ends are what `reconstruct` says of the two texts with the same seed. All points draw alike, so that what
        changes along the way changes by the code.

        Args:
            first: with words.
            last: with words.
            num_points: of the way, at equal distances, both ends counted; 2 or more.
            sampling: how tokens are chosen.
            seed: of all points.

        Raises:
            UsageError: a text without words, or fewer than two points.
        """
        if num_points < 2:
            raise UsageError(
                f"a walk of {num_points} points was asked for, but it has two ends: ask for 2 or more"
            )
        self._check(sampling, 1)
        ends = self._read([first, last])
        # Each point has generators of its own, which have drawn what those of the ends have.
        generators = [[reply_generator(seed, 0) for _ in range(num_points)] for _ in ends]
        begin, arrive = (
            self._model.codes(end.state.select([0] * num_points), own)
            for end, own in zip(ends, generators, strict=True)
        )
        shares = torch.linspace(0, 1, num_points, dtype=torch.float64)
        between = self._model.between(begin, arrive, shares)
        before, after = (end.context_hash for end in ends)
        hashes = [_hash(before, after, share) for share in shares.tolist()]
        return self._say(between, generators[0], hashes, sampling, seed, [0] * num_points)

    def _check(self, sampling: Sampling, num_each: int) -> None:
        self._replier.check(sampling, range(num_each))
        if sampling.method == "greedy" and num_each > 1 and not self._model.is_latent:
            raise UsageError(
                f"{num_each} reconstructions of each text were asked for, but method greedy says the same each time; "
                "take sample or beam"
            )

    def _read(self, texts: Sequence[str]) -> list[Reading]:
        if empty := [text for text in texts if not normalise(text)]:
            raise UsageError(f"there is no word in {empty[0]!r} to say again; give a text with words")
        readings = [self._replier.open(Conversation("", (Turn("A", text),))) for text in texts]
        self._replier.reader.read_all(readings)
        return readings

    def _say(
        self,
        codes: Tensor,
        generators: Sequence[torch.Generator],
        hashes: Sequence[str],
        sampling: Sampling,
        seed: int,
        indices: Sequence[int],
    ) -> list[Reconstruction]:
        """Decodes from codes (row, code); the generators have drawn them already."""
        state = self._model.plan(self._model.start(len(codes)), generators, codes)
        rows = codes.tolist()
        drafts = [
            Draft(History.of(sampling, generator), seed, index, digest)
            for generator, digest, index in zip(generators, hashes, indices, strict=True)
        ]
        if self._model.is_latent:
            for draft, row in zip(drafts, rows, strict=True):
                draft.latent = tuple(row)
        batch = self._replier.new_batch()
        batch.join(drafts, state)
        for _ in batch.run():
            pass
        said = [self._replier.finish(draft) for draft in drafts]
        return [Reconstruction(reply, tuple(row)) for reply, row in zip(said, rows, strict=True)]


def _hash(first: str, last: str, share: float) -> str:
    """Returns the hash of what a point of a walk stands for; at an end, that text's own."""
    if share in (0.0, 1.0):
        return last if share else first
    return hashlib.sha256(f"{first} {last} {share}".encode()).hexdigest()
