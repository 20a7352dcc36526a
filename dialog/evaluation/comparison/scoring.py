"""The likelihood of a run, by conversation: nats, bounds, KL, by turn, behind changed contexts.

It is computed and kept a hundred conversations at a time, whose samples have a seed of their own.

The anchor beside models is the frequency of tokens in the training replies, each counted once more than it stands
there: what a model gives that knows neither context nor order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from dialog.evaluation.comparison.cache import Cache
from dialog.evaluation.comparison.material import Material, SomeOf
from dialog.evaluation.comparison.plan import Plan
from dialog.evaluation.comparison.runs import RunEntry
from dialog.evaluation.costs import measure_costs
from dialog.evaluation.latent import evaluate_latent
from dialog.evaluation.perturb import KINDS, Kind, measure_context_use
from dialog.evaluation.sums import Floats, Sums
from dialog.models.base import ReplyModel
from dialog.text.batches import EOS
from dialog.text.loader import EncodedSplit

__all__ = ["RunScores", "frequency_costs", "score_run", "token_frequencies"]

_BLOCK = 100
"""Conversations whose likelihood is computed, and kept, together."""

Progress = Callable[[str, int], Callable[[int], None]]
"""Is told what begins and how much of it there is; gives what is told how much of it was done."""


@dataclass(frozen=True, slots=True)
class RunScores:
    """What a run was found to be.

    Attributes:
        sums: of each conversation.
        latent: how its latent variable is used, as plain JSON values; None without one.
    """

    sums: Sums
    latent: dict[str, Any] | None


def score_run(
    run: RunEntry,
    model: Callable[[], ReplyModel],
    material: Material,
    plan: Plan,
    cache: Cache,
    progress: Progress,
) -> RunScores:
    """Scores a run, but for what is kept of it.

    Args:
        run: the run.
        model: gives its model, if something must be computed.
        material: that is scored.
        plan: how.
        cache: of what was computed.
        progress: is told.
    """
    count = len(material.ids)

    def split() -> EncodedSplit:
        return material.for_tokenizer(run.tokenizer)

    def costs(start: int, end: int) -> Sums:
        some, ids = SomeOf(split(), start, end), material.ids[start:end]
        found = measure_costs(
            model(), some, plan.num_samples, plan.num_prior_samples, plan.seed + start, progress=told
        )
        turns = found.turn_sums(ids)
        return found.sums(ids) if turns is None else found.sums(ids).join(turns)

    def latent() -> dict[str, Any]:
        told = progress(f"{run.name}: latent variable", count)
        return evaluate_latent(model(), split(), plan.seed, progress=told).to_json()

    def behind(kind: Kind) -> Sums:
        told = progress(f"{run.name}: context {kind}", len(material.contexts))
        return measure_context_use(
            model(), split(), material.ids, (kind,), plan.num_context_samples, plan.seed, progress=told
        )

    keys = _keys(run, material, plan)
    told = progress(f"{run.name}: likelihood", count)
    sums = Sums.stack(
        [
            cache.sums("costs", {**keys["costs"], "from": start, "to": end}, partial(costs, start, end))
            for start, end in _blocks(material.split)
        ]
    )
    for kind in _kinds(material):
        more = cache.sums("context", keys[kind], partial(behind, kind))
        sums = sums.join(more.without(sums.columns))
    use = cache.json("latent", keys["latent"], latent) if run.facts["latent"] else None
    return RunScores(sums, use)


def _blocks(split: EncodedSplit) -> list[tuple[int, int]]:
    """Returns the first and the last but one conversation of parts that each have something to score."""
    blocks: list[tuple[int, int]] = []
    start = 0
    for end in (*range(_BLOCK, len(split), _BLOCK), len(split)):
        if split.targets[split.offsets[start] : split.offsets[end]].any():
            blocks.append((start, end))
            start = end
    if start < len(split):
        blocks[-1] = (blocks[-1][0], len(split))
    return blocks


def _kinds(material: Material) -> list[Kind]:
    return [kind for kind in KINDS if kind != "other" or len(material.ids) > 1]


def _keys(run: RunEntry, material: Material, plan: Plan) -> dict[str, dict[str, Any]]:
    whole = {**material.whole_key, **run.key, "seed": plan.seed}
    common = {**whole, **material.key}
    samples = [plan.num_samples, plan.num_prior_samples] if run.facts["latent"] else []
    few = [plan.num_context_samples] if run.facts["latent"] else []
    return {
        "costs": {**whole, "samples": samples},
        "latent": common,
        **{kind: {**common, "samples": few, "context": kind} for kind in KINDS},
    }


def token_frequencies(split: EncodedSplit, num_tokens: int) -> Floats:
    """Returns log p of each token, (token,), by its frequency in the replies of a split, end tokens counted."""
    counts = np.ones(num_tokens)
    for number in range(len(split)):
        conversation = split[number]
        for tokens, is_target in zip(conversation.utterances, conversation.targets, strict=True):
            if is_target:
                np.add.at(counts, tokens, 1)
                counts[EOS] += 1
    shares: Floats = np.log(counts / counts.sum())
    return shares


def frequency_costs(split: EncodedSplit, ids: Sequence[str], frequencies: Floats) -> Sums:
    """Returns nats and tokens of each conversation by `token_frequencies`."""
    nats, tokens = np.zeros(len(ids)), np.zeros(len(ids))
    for number in range(len(ids)):
        conversation = split[number]
        for words, is_target in zip(conversation.utterances, conversation.targets, strict=True):
            if is_target:
                nats[number] -= frequencies[words].sum() + frequencies[EOS]
                tokens[number] += len(words) + 1
    return Sums.of(ids, {"nats": nats, "tokens": tokens})
