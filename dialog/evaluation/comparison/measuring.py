"""Metrics of the replies of one row, by conversation, under one word rule.

Distinct-n, entropy and the share of the most frequent reply are no sums: they are measured for all conversations, and
anew for those that do not stand in the training data.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dialog.evaluation.comparison.answering import Answer
from dialog.evaluation.comparison.material import Material
from dialog.evaluation.embedding import measure_nearness
from dialog.evaluation.overlap import measure_overlap
from dialog.evaluation.sample_overlap import measure_samples
from dialog.evaluation.sums import Sums
from dialog.evaluation.variety import measure_sample_variety, measure_variety
from dialog.evaluation.vectors import WordVectors
from dialog.evaluation.words import WordRule, word_rule

__all__ = ["BEST", "WHOLE_COLUMNS", "RowSums", "answers_hash", "measure_row", "sample_rule", "words_of"]

WHOLE_COLUMNS = ("distinct_1", "distinct_2", "entropy_1", "entropy_2", "top_share")
"""Columns that hold for the conversations that they were measured on."""
BEST = "best_"
"""Put before the columns of embedding metrics where the best of several replies counts."""


@dataclass(frozen=True, slots=True)
class RowSums:
    """Sums of a row of replies.

    Attributes:
        whole: of all conversations.
        clean: `WHOLE_COLUMNS` of those that do not stand in the training data; None if none does, or all do.
        signatures: how sacrebleu counted, by metric.
    """

    whole: Sums
    clean: Sums | None
    signatures: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        clean = None if self.clean is None else self.clean.to_json()
        return {"whole": self.whole.to_json(), "clean": clean, "signatures": self.signatures}

    @staticmethod
    def from_json(values: dict[str, Any]) -> "RowSums":
        """Is the inverse of `to_json`."""
        clean = values["clean"]
        return RowSums(
            Sums.from_json(values["whole"]),
            None if clean is None else Sums.from_json(clean),
            values["signatures"],
        )


def answers_hash(answers: Sequence[Answer]) -> str:
    """Returns the first digits of a SHA-256 of all replies."""
    whole = hashlib.sha256()
    for answer in answers:
        for text in (answer.conversation, str(answer.turn), *answer.replies):
            whole.update(f"{len(text)} {text}".encode())
        whole.update(b";")
    return whole.hexdigest()[:20]


def sample_rule(rule: str) -> str:
    """Returns the rule that several replies to one context are compared by: for words that of Zhao et al. 2017."""
    return "wordpunct" if rule == "words" else rule


def words_of(answers: Sequence[Answer], rule: WordRule) -> set[str]:
    """Returns all words of some replies."""
    texts = {text for answer in answers for text in answer.replies}
    return {word for text in texts for word in rule.cut(text)}


def measure_row(
    answers: Sequence[Answer],
    material: Material,
    rule: WordRule,
    clean: Sequence[str],
    known: Collection[str],
    vectors: WordVectors | None,
) -> RowSums:
    """Measures the replies of a row.

    Args:
        answers: one for each of the material's contexts.
        material: what was answered.
        rule: how texts are cut into words.
        clean: conversations that do not stand in the training data.
        known: training replies, by `training_replies` and the same rule.
        vectors: of words; None leaves the embedding metrics out.
    """
    ids, places = material.ids, material.conversations
    singles = [answer.replies[0] for answer in answers]
    references = [context.reference for context in material.contexts]
    cut = _Cutter(rule)
    single_words, said = [cut(text) for text in singles], [cut(text) for text in references]
    samples = [[cut(text) for text in answer.replies] for answer in answers]
    overlap = measure_overlap(singles, references, places, ids, words=rule.name)
    sums = overlap.sums.join(measure_variety(single_words, places, ids, known))
    sums = sums.join(measure_sample_variety(samples, places, ids))
    cut_samples = _Cutter(word_rule(sample_rule(rule.name)))
    sums = sums.join(
        measure_samples(
            [[cut_samples(text) for text in answer.replies] for answer in answers],
            [cut_samples(text) for text in references],
            places,
            ids,
        )
    )
    if vectors is not None:
        sums = sums.join(measure_nearness([[words] for words in single_words], said, vectors, places, ids))
        best = measure_nearness(samples, said, vectors, places, ids)
        sums = sums.join(Sums(best.ids, tuple(BEST + name for name in best.columns), best.values))
    signatures = {"BLEU": overlap.bleu_signature, "chrF": overlap.chrf_signature}
    return RowSums(sums, _clean_part(single_words, material, clean), signatures)


class _Cutter:
    """Cuts texts into words, each different text once: most models repeat themselves."""

    def __init__(self, rule: WordRule) -> None:
        self._rule = rule
        self._known: dict[str, list[str]] = {}

    def __call__(self, text: str) -> list[str]:
        words = self._known.get(text)
        if words is None:
            words = self._known[text] = self._rule.cut(text)
        return words


def _clean_part(singles: Sequence[Sequence[str]], material: Material, clean: Sequence[str]) -> Sums | None:
    if len(clean) in (0, len(material.ids)):
        return None
    rows = {name: row for row, name in enumerate(clean)}
    kept = [
        (words, rows[material.ids[context.conversation]])
        for words, context in zip(singles, material.contexts, strict=True)
        if material.ids[context.conversation] in rows
    ]
    sums = measure_variety([words for words, _ in kept], np.array([row for _, row in kept], np.int64), clean)
    return sums.without(name for name in sums.columns if name not in WHOLE_COLUMNS)
