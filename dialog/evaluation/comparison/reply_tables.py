"""Tables of replies: overlap with what was said, variety, several replies to one context, word vectors."""

from dialog.evaluation.comparison.measuring import BEST, sample_rule
from dialog.evaluation.comparison.table import REPLY_ROWS, Column, Table
from dialog.evaluation.embedding import EMBEDDING_FIGURES
from dialog.evaluation.overlap import OVERLAP_FIGURES
from dialog.evaluation.sample_overlap import SAMPLE_FIGURES
from dialog.evaluation.sums import Figure, ratio
from dialog.evaluation.variety import SAMPLE_VARIETY_FIGURES, VARIETY_FIGURES

__all__ = ["MAIN_FIGURES", "reply_tables"]

MAIN_FIGURES = ("bleu_2", "chrf", "distinct_2", "sample_bleu_f1_nltk_3_6", "embedding_average")
"""Those whose differences the report tells pair by pair; `scores.json` has those of all."""

_BEST_FIGURES = tuple(
    ratio(f"{BEST}embedding_{name}", f"{BEST}embedding_{name}", f"{BEST}embedding_pairs")
    for name in ("average", "extrema", "greedy")
)
_ALL: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        *OVERLAP_FIGURES,
        *VARIETY_FIGURES,
        *SAMPLE_FIGURES,
        *SAMPLE_VARIETY_FIGURES,
        *EMBEDDING_FIGURES,
        *_BEST_FIGURES,
    )
}


def reply_tables(rule: str, suffix: str, num_replies: int) -> list[Table]:
    """Returns the tables of replies under a word rule.

    Args:
        rule: how words are cut.
        suffix: put behind titles, where there are several rules.
        num_replies: to each context.
    """
    return [
        _overlap(rule, suffix),
        _variety(rule, suffix),
        _samples(rule, suffix, num_replies),
        _embedding(rule, suffix),
    ]


def _columns(*named: tuple[str, str, int]) -> tuple[Column, ...]:
    return tuple(Column(_ALL[name], label, decimals) for name, label, decimals in named)


def _overlap(rule: str, suffix: str) -> Table:
    return Table(
        "overlap",
        f"Overlap with what was said{suffix}",
        "One reply a context against the one that people gave: corpus BLEU-1 to BLEU-4 and chrF, 0 to 100, by "
        "sacrebleu (signatures below). Of one reference they tell little: look at what a random reply gets.",
        REPLY_ROWS,
        _columns(
            *((f"bleu_{order}", f"BLEU-{order}", 2) for order in range(1, 5)),
            ("chrf", "chrF", 2),
        ),
        rule,
    )


def _variety(rule: str, suffix: str) -> Table:
    return Table(
        "variety",
        f"Variety{suffix}",
        "Distinct-n over all replies together (Li et al. 2016; falls with their number and length), within a reply (Gu "
        "et al. 2019), entropy of n-grams in nats (Zhang et al. 2018), words a reply, and shares: of the most frequent "
        "reply, of replies with three words in a row twice, of replies that stand word for word in the training data, "
        "of replies without a word. Intervals of distinct-n, entropy and the most frequent reply by the jackknife's "
        "spread.",
        REPLY_ROWS,
        _columns(
            ("distinct_1", "distinct-1", 4),
            ("distinct_2", "distinct-2", 4),
            ("within_1", "within-1", 3),
            ("within_2", "within-2", 3),
            ("entropy_1", "entropy-1", 2),
            ("entropy_2", "entropy-2", 2),
            ("length", "words", 1),
            ("top_share", "most frequent", 3),
            ("repeating", "repeating", 3),
            ("recited", "recited", 3),
            ("empty", "empty", 3),
        ),
        rule,
    )


def _samples(rule: str, suffix: str, num_replies: int) -> Table:
    return Table(
        "samples",
        f"Several replies to one context{suffix}",
        f"{num_replies} replies a context (a beam gives as many as it keeps; who says the same each time is counted "
        "as often). Sentence BLEU up to 3-grams with NLTK's smoothing 7, precision the mean over replies, recall the "
        "best, averaged over contexts, F1 of the averages (Zhao et al. 2017; Gu et al. 2019, DialogWAE); words by the "
        f"rule {sample_rule(rule)}. F1 is given under NLTK's smoothing of today (3.6) and of those papers' time (3.4), "
        "which gives more: published figures compare with the latter. Distinct-n over the replies to one context. "
        "Embedding metrics of the best reply, as in DialogWAE.",
        REPLY_ROWS,
        _columns(
            ("sample_bleu_precision_nltk_3_6", "precision", 3),
            ("sample_bleu_recall_nltk_3_6", "recall", 3),
            ("sample_bleu_f1_nltk_3_6", "F1", 3),
            ("sample_bleu_precision_nltk_3_4", "precision (3.4)", 3),
            ("sample_bleu_recall_nltk_3_4", "recall (3.4)", 3),
            ("sample_bleu_f1_nltk_3_4", "F1 (3.4)", 3),
            ("across_1", "across-1", 3),
            ("across_2", "across-2", 3),
            ("different_samples", "different", 3),
            (f"{BEST}embedding_average", "best average", 3),
            (f"{BEST}embedding_extrema", "best extrema", 3),
            (f"{BEST}embedding_greedy", "best greedy", 3),
        ),
        rule,
    )


def _embedding(rule: str, suffix: str) -> Table:
    return Table(
        "embedding",
        f"Word vectors{suffix}",
        "Cosines of one reply and the one that people gave (Liu et al. 2016): of the sums of word vectors, of their "
        "extrema, and of greedily matched words in both directions. Unknown words are left out and counted. Frequent "
        "words are near one another, so that a random reply does well.",
        REPLY_ROWS,
        _columns(
            ("embedding_average", "average", 3),
            ("embedding_extrema", "extrema", 3),
            ("embedding_greedy", "greedy", 3),
            ("embedding_greedy_reference", "greedy, said → reply", 3),
            ("embedding_greedy_reply", "greedy, reply → said", 3),
            ("embedding_reply_unknown", "unknown words", 3),
        ),
        rule,
    )
