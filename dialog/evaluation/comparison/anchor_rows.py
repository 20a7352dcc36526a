"""Replies of no model, beside which the models' figures stand: what a metric gives to these says what it is worth."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dialog.evaluation.comparison.answering import Answer, write_answers
from dialog.evaluation.comparison.cache import Cache
from dialog.evaluation.comparison.material import Material
from dialog.evaluation.comparison.training_side import TrainingSide
from dialog.evaluation.words import WordRule

__all__ = ["ANCHORS", "RANDOM", "TRUE", "anchor_path"]

TRUE, RANDOM, FREQUENT, RETRIEVED = (
    "the true reply",
    "a random training reply",
    "the most frequent training reply",
    "TF-IDF retrieval",
)
ANCHORS = (TRUE, RANDOM, FREQUENT, RETRIEVED)


def anchor_path(
    name: str,
    material: Material,
    training: TrainingSide,
    rule: WordRule,
    num_replies: int,
    seed: int,
    cache: Cache,
) -> Path:
    """Finds an anchor's replies, and returns the file that they are in.

    Args:
        name: of the anchor.
        material: whose contexts are answered.
        training: where replies are taken from.
        rule: that contexts are compared by.
        num_replies: to each context; replies that do not vary are given as often.
        seed: of the random replies.
        cache: of what was found.
    """
    key: dict[str, Any] = {**material.key, "anchor": name, "replies": num_replies, "seed": seed}
    if name == RETRIEVED:
        key["rule"] = rule.name
    path = cache.path("anchor", key, ".jsonl")
    if not path.exists():
        write_answers(path, _answers(material, _replies(name, material, training, rule, num_replies)))
    return path


def _replies(
    name: str, material: Material, training: TrainingSide, rule: WordRule, num_replies: int
) -> Sequence[tuple[str, ...]]:
    contexts = material.contexts
    if name == TRUE:
        return [(context.reference,) * num_replies for context in contexts]
    if name == RANDOM:
        draws = [training.random(len(contexts), index) for index in range(num_replies)]
        return list(zip(*draws, strict=True))
    if name == FREQUENT:
        return [(training.most_frequent(),) * num_replies] * len(contexts)
    return [(reply,) * num_replies for reply in training.retrieved(contexts, rule)]


def _answers(material: Material, replies: Sequence[tuple[str, ...]]) -> list[Answer]:
    return [
        Answer(material.ids[context.conversation], context.turn, some, {})
        for context, some in zip(material.contexts, replies, strict=True)
    ]
