"""Tables of the runs: likelihood, latent variable, turn position, context."""

import numpy as np

from dialog.evaluation.comparison.table import RUN_ROWS, Column, Table
from dialog.evaluation.costs import LAST_TURN
from dialog.evaluation.perturb import KINDS, Kind
from dialog.evaluation.sums import Figure, Floats, perplexity, ratio

__all__ = ["run_tables", "turn_of"]

_FOREIGN_RULES = ("zoo", "treebank", "whitespace")
_MARKERS = 3
"""Tokens of speaker markers that MultiTurnDialogZoo counts a target."""


def run_tables(same: bool, rule: str, num_samples: int, num_prior_samples: int) -> list[Table]:
    """Returns the tables of runs.

    Args:
        same: whether all runs have one tokenizer, so that their tokens compare.
        rule: how words are cut, for nats a word.
        num_samples: K of the bound.
        num_prior_samples: K of the perplexity by z from the prior.
    """
    return [
        _likelihood(same, rule, num_samples),
        _word_perplexity(),
        _latent(same, rule, num_samples, num_prior_samples),
        _turns(same),
        _context(same),
    ]


def turn_of(figure: str) -> int:
    """Returns the turn that a figure of the table `turns` is of."""
    return int(figure.rsplit("_", 1)[1])


def _likelihood(same: bool, rule: str, num_samples: int) -> Table:
    by_token = (
        Column(ratio("nats_per_token", "nats", "tokens", True), "nats/token"),
        Column(perplexity("perplexity", "nats", "tokens"), "perplexity/token", 2),
    )
    units = (
        "All models have the same tokenizer, so tokens compare."
        if same
        else "The models have different tokenizers, so nats a token do not compare and are left out; nats a "
        "character and a word do, for each model is asked for the same texts."
    )
    return Table(
        "likelihood",
        "Likelihood",
        "How improbable a model finds what people said: lower is better. Every turn after the first of a "
        "conversation is scored, all its tokens and its end, none of them cut. Of a model without a latent variable it "
        f"is exact, of the others the importance-weighted bound by {num_samples} samples (an upper bound of the nats), "
        f"never a z of the posterior alone. {units} The row of frequencies knows neither context nor order.",
        RUN_ROWS,
        (
            *(by_token if same else ()),
            Column(ratio("nats_per_character", "nats", "characters", True), "nats/character", 4),
            Column(ratio(f"nats_per_word_{rule}", "nats", f"words_{rule}", True), f"nats/word ({rule})"),
            Column(
                perplexity(f"perplexity_word_{rule}", "nats", f"words_{rule}"), f"perplexity/word ({rule})", 2
            ),
            Column(ratio("nats_per_reply", "nats", "replies", True), "nats/reply", 2),
        ),
    )


def _with_markers(totals: Floats) -> Floats:
    found: Floats = np.exp(totals[..., 0] / (totals[..., 1] + _MARKERS * totals[..., 2]))
    return found


def _word_perplexity() -> Table:
    columns = [
        Column(perplexity(f"perplexity_word_{rule}", "nats", f"words_{rule}"), rule, 2)
        for rule in _FOREIGN_RULES
    ]
    markers = Figure("perplexity_word_zoo_markers", ("nats", "words_zoo", "replies"), _with_markers, True)
    return Table(
        "word_perplexity",
        "Perplexity a word, as others count words",
        "exp(nats ÷ words), the end of a reply counted as one word. Published figures are of models with vocabularies "
        "of their own, in which unknown words are cheap, and often of cut targets: they are markers beside these, not "
        f"the same measure. MultiTurnDialogZoo (zoo) also counts {_MARKERS} tokens of a speaker marker a target, which "
        "cost next to nothing; the last column does, too.",
        RUN_ROWS,
        (*columns, Column(markers, f"zoo, {_MARKERS} free tokens more a reply", 2)),
    )


def _latent(same: bool, rule: str, num_samples: int, num_prior_samples: int) -> Table:
    bounds = (
        Column(ratio("elbo_nats_per_token", "elbo_nats", "tokens", True), "ELBO, nats/token"),
        Column(ratio("nats_per_token", "nats", "tokens", True), "bound, nats/token"),
        Column(perplexity("prior_perplexity", "prior_nats", "tokens"), "prior-z perplexity/token", 2),
        Column(ratio("kl_per_token", "kl", "tokens", None), "KL, nats/token"),
    )
    by_word = (
        Column(ratio("elbo_nats_per_character", "elbo_nats", "characters", True), "ELBO, nats/character", 4),
        Column(ratio("nats_per_character", "nats", "characters", True), "bound, nats/character", 4),
        Column(
            perplexity(f"prior_perplexity_word_{rule}", "prior_nats", f"words_{rule}"),
            "prior-z perplexity/word",
            2,
        ),
    )
    return Table(
        "latent",
        "Latent variable",
        f"Bounds by {num_samples} samples of the posterior: the ELBO from the mean of their log weights, the "
        "importance-weighted bound from the log of the mean weight (Burda et al. 2016). Prior-z perplexity is "
        f"exp(−Σ log((1/K) Σ p(x|z)) ÷ units) with K = {num_prior_samples} z from the prior, which has not seen the "
        "reply. KL(posterior ‖ prior) is raw and in closed form. Where replies share a latent, a bound is of a whole "
        "conversation and looser. Active units and mutual information have no interval; docs/latent.md says what they "
        "are.",
        RUN_ROWS,
        (
            *(bounds if same else by_word),
            Column(ratio("kl_per_reply", "kl", "replies", None), "KL, nats/reply", 2),
        ),
    )


def _turns(same: bool) -> Table:
    unit, label = ("tokens", "token") if same else ("characters", "character")
    return Table(
        "turns",
        "Likelihood by turn",
        f"Nats a {label} of the replies at each turn, the first reply being turn 1; turn {LAST_TURN} holds all later "
        "ones. A model that uses its context gains on one that does not as the conversation goes on. Where replies "
        "share a latent they have no likelihoods of their own, and no row here.",
        RUN_ROWS,
        tuple(
            Column(
                ratio(f"nats_per_{label}_turn_{turn}", f"nats_turn_{turn}", f"{unit}_turn_{turn}", True),
                f"{turn}" if turn < LAST_TURN else f"{turn}…",
                3 if same else 4,
            )
            for turn in range(1, LAST_TURN + 1)
        ),
    )


_CHANGES: dict[Kind, str] = {
    "shuffled": "turns shuffled",
    "last": "last turn alone",
    "none": "no context",
    "other": "another conversation's",
}


def _context(same: bool) -> Table:
    unit, label = ("context_tokens", "token") if same else ("characters", "character")
    return Table(
        "context",
        "Use of the context",
        f"By how many nats a {label} the loss of the same replies rises when the turns before them are changed (Sankar "
        "et al. 2019). 0 means that the model does not look: one that knows the last turn alone loses nothing by “last "
        "turn alone”, one that ignores its context nothing at all.",
        ("run",),
        tuple(
            Column(
                Figure(
                    f"rise_{kind}",
                    (f"context_nats_{kind}", "context_nats_kept", unit),
                    lambda totals: (totals[..., 0] - totals[..., 1]) / totals[..., 2],
                    None,
                ),
                _CHANGES[kind],
                3 if same else 4,
            )
            for kind in KINDS
            if kind != "kept"
        ),
    )
