"""BLEU-1 to BLEU-4 and chrF of replies, by sacrebleu; its statistics are kept a conversation.

Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation", and Popović 2015,
"chrF: character n-gram F-score for automatic MT evaluation", as Post 2018, "A Call for Clarity in Reporting
BLEU Scores", counts them: sacrebleu cuts the texts and counts n-grams, this module adds the counts up. Both
figures are functions of these sums, so that an interval recounts nothing. BLEU-n is the geometric mean of the
first n precisions; its smoothing, where no n-gram of an order is shared, is sacrebleu's `exp`.

Unit: 0 to 100, as sacrebleu has it. An empty reply counts as one of length 0 that shares nothing, an empty
reference as one of length 0; where no word is shared at all, both figures are 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from dialog.errors import UsageError
from dialog.evaluation.sums import Figure, Floats, Sums
from dialog.evaluation.words import word_rule

__all__ = ["CHRF_FIGURE", "OVERLAP_FIGURES", "Overlap", "bleu_figure", "measure_overlap"]

_ORDER = 4  # of BLEU
_CHARACTERS = 6  # order of chrF
_BETA = 2  # of chrF
_BLEU_COLUMNS = (
    "bleu_reply_words",
    "bleu_reference_words",
    *(f"bleu_shared_{order}" for order in range(1, _ORDER + 1)),
    *(f"bleu_reply_{order}" for order in range(1, _ORDER + 1)),
)
_CHRF_COLUMNS = tuple(
    f"chrf_{what}_{order}" for order in range(1, _CHARACTERS + 1) for what in ("reply", "reference", "shared")
)


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of the references stands in the replies.

    Attributes:
        sums: statistics of each conversation, for `OVERLAP_FIGURES`.
        bleu_signature: sacrebleu's, which says how BLEU was counted.
        chrf_signature: sacrebleu's, which says how chrF was counted.
    """

    sums: Sums
    bleu_signature: str
    chrf_signature: str


def measure_overlap(
    replies: Sequence[str],
    references: Sequence[str],
    conversations: NDArray[np.int64],
    ids: Sequence[str],
    words: str = "words",
    lowercase: bool = False,
) -> Overlap:
    """Counts what replies share with their references.

    Args:
        replies: one for each reference.
        references: what people said.
        conversations: (reply,) the place in `ids` of each reply's conversation.
        ids: the conversations.
        words: the rule whose tokenizer of sacrebleu cuts the texts for BLEU; chrF needs none.
        lowercase: whether case is ignored.

    Raises:
        UsageError: the numbers differ, there is none, or MeCab is asked for and not installed.
    """
    if not len(replies) == len(references) == len(conversations):
        raise UsageError(
            f"there are {len(replies)} replies, {len(references)} references and {len(conversations)} "
            "conversation numbers; give one of each a reply"
        )
    if not replies:
        raise UsageError("there is no reply to compare with its reference; give a split that has targets")
    # `force` silences a hint about texts that come with spaces between words.
    tokenize = word_rule(words).sacrebleu
    bleu = BLEU(lowercase=lowercase, force=True, tokenize=tokenize, max_ngram_order=_ORDER)
    chrf = CHRF(char_order=_CHARACTERS, beta=_BETA, lowercase=lowercase)
    columns: dict[str, NDArray[np.float64]] = {}
    for metric, names in ((bleu, _BLEU_COLUMNS), (chrf, _CHRF_COLUMNS)):
        # sacrebleu sums these itself and has no public way to them; tests hold their sums against `corpus_score`.
        counts = metric._extract_corpus_statistics(list(replies), [list(references)])
        columns |= zip(names, np.array(counts, np.float64).T, strict=True)
    return Overlap(
        Sums.over(ids, conversations, columns), str(bleu.get_signature()), str(chrf.get_signature())
    )


def bleu_figure(order: int) -> Figure:
    """Returns corpus BLEU up to n-grams of `order` words, 1 to 4, with sacrebleu's smoothing `exp`."""

    def formula(totals: Floats) -> Floats:
        reply_words, reference_words = totals[..., 0], totals[..., 1]
        shared, all_grams = totals[..., 2 : 2 + order], totals[..., 2 + _ORDER : 2 + _ORDER + order]
        halvings = np.cumsum(shared == 0, axis=-1)
        precisions = np.where(shared == 0, 0.5**halvings, shared) / all_grams
        mean = np.where((all_grams > 0).all(-1), np.exp(np.log(precisions).mean(-1)), 0.0)
        brevity = np.exp(np.minimum(1 - reference_words / np.maximum(reply_words, 1e-9), 0))
        return np.where(
            np.isnan(totals).any(-1), np.nan, np.where(shared.sum(-1) == 0, 0.0, 100 * brevity * mean)
        )

    return Figure(f"bleu_{order}", _BLEU_COLUMNS, formula)


def _chrf(totals: Floats) -> Floats:
    """Returns chrF of sums: orders that one side lacks are left out, as sacrebleu does."""
    counts = totals.reshape(*totals.shape[:-1], _CHARACTERS, 3)
    replies, references, shared = counts[..., 0], counts[..., 1], counts[..., 2]
    present = (replies > 0) & (references > 0)
    orders = np.maximum(present.sum(-1), 1)
    precision = np.where(present, shared / np.where(present, replies, 1), 0).sum(-1) / orders
    recall = np.where(present, shared / np.where(present, references, 1), 0).sum(-1) / orders
    both = _BETA**2 * precision + recall
    score = 100 * (1 + _BETA**2) * precision * recall / np.where(both == 0, 1.0, both)
    return np.where(np.isnan(totals).any(-1), np.nan, score)


CHRF_FIGURE = Figure("chrf", _CHRF_COLUMNS, _chrf)
"""chrF2 of the corpus, 0 to 100."""

OVERLAP_FIGURES = (*(bleu_figure(order) for order in range(1, _ORDER + 1)), CHRF_FIGURE)
"""What the sums of `measure_overlap` give."""
