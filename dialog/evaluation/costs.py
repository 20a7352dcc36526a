"""What each reply of a split costs a model, to be added up a conversation, or by turn: nats, bounds, KL, tokens.

| column | what | which models |
|---|---|---|
| `tokens` | scored tokens, the end tokens counted | all |
| `nats` | -log p(x given c); the importance-weighted bound of it by K samples of the posterior | exact; latent |
| `elbo_nats` | minus the mean log weight of the same samples, which expects minus the ELBO | latent |
| `prior_nats` | -log 1/K sum_k p(x given c, z_k), z_k from the *prior* | latent |
| `kl` | KL(posterior, prior) of all latents, in closed form | latent |

A unit is a reply, or for a model whose replies share a latent a whole conversation (`ReplyModel.bound_unit`; a
window, if it is longer), which has one bound and no turn. `prior_nats` bounds -log p(x given c) as `nats` does, but
from draws that have not seen the reply: its perplexity is what the model gives a reply before it is known, and with
a strong posterior far above the tighter bound. No figure here is of a z from the posterior alone.

Characters and words are of the texts and the same for all models: see `count_texts`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from dialog.evaluation.bound import importance_bound
from dialog.evaluation.passes import WINDOW_TURNS, Part, evaluating, parts_of
from dialog.evaluation.sums import Figure, Floats, Sums, perplexity, ratio
from dialog.evaluation.talks import Talk
from dialog.evaluation.words import WordRule
from dialog.models.base import LatentGaussians, ReplyModel
from dialog.text.loader import EncodedSplit

__all__ = ["LAST_TURN", "UnitCosts", "count_texts", "likelihood_figures", "measure_costs", "turn_figures"]

LAST_TURN = 10
"""Later turns are counted together with this one, the first turn being 0."""


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """Costs of each unit of a split; see the module's docstring.

    Attributes:
        conversations: (unit,) int64, which conversation of the split each is of.
        turns: (unit,) int64, which turn each is; None where a unit is a conversation.
        columns: each (unit,) float64, by name.
    """

    conversations: NDArray[np.int64]
    turns: NDArray[np.int64] | None
    columns: Mapping[str, Floats]

    def sums(self, ids: Sequence[str]) -> Sums:
        """Adds the columns up for each conversation."""
        return Sums.over(ids, self.conversations, self.columns)

    def turn_sums(self, ids: Sequence[str], last: int = LAST_TURN) -> Sums | None:
        """Adds `nats` and `tokens` up by turn, as `nats_turn_1`, …; None where units have no turn."""
        if self.turns is None:
            return None
        turns = np.minimum(self.turns, last)
        columns = {
            f"{name}_turn_{turn}": np.where(turns == turn, self.columns[name], 0.0)
            for turn in range(1, last + 1)
            for name in ("nats", "tokens")
        }
        return Sums.over(ids, self.conversations, columns)


def measure_costs(
    model: ReplyModel,
    split: EncodedSplit,
    num_samples: int = 100,
    num_prior_samples: int = 0,
    seed: int = 0,
    max_conversations: int | None = None,
    progress: Callable[[int], None] | None = None,
    window_turns: int = WINDOW_TURNS,
) -> UnitCosts:
    """Scores every reply of a split.

    Args:
        model: is put into evaluation mode for the time, then back.
        split: the conversations.
        num_samples: K of the importance-weighted bound; a model without a latent variable is scored exactly.
        num_prior_samples: K of `prior_nats`; 0 leaves it out.
        seed: of all samples.
        max_conversations: the first so many only; None for all.
        progress: is told how many conversations were scored since it was last called.
        window_turns: longer conversations are scored in windows of so many turns.

    Raises:
        CorpusError: the split has no target.
    """
    found: dict[str, list[Tensor]] = {}
    units: list[Tensor] = []
    by_reply = model.bound_unit == "reply"
    with evaluating(model) as device:
        generator = torch.Generator(device=device).manual_seed(seed)
        for part in parts_of(model, split, max_conversations, None, progress, window_turns):
            if model.is_latent:
                costs = _latent_costs(model, part, num_samples, num_prior_samples, generator)
            else:
                costs = {"nats": model.loss(part.batch, generator, part.state).nll}
            costs["tokens"] = _of_units(part, part.batch.utterances.lengths[part.batch.targets], by_reply)
            for name, values in costs.items():
                found.setdefault(name, []).append(values.double().cpu())
            units.append(_numbers(part, by_reply))
    conversations, turns = torch.cat(units, dim=1).numpy()
    columns = {name: torch.cat(values).numpy() for name, values in found.items()}
    return UnitCosts(conversations, turns if by_reply else None, columns)


def _latent_costs(
    model: ReplyModel, part: Part, num_samples: int, num_prior_samples: int, generator: torch.Generator
) -> dict[str, Tensor]:
    weights = model.log_weights(part.batch, num_samples, generator, part.state)
    latents = model.describe_latents(part.batch, part.state, generator)
    kl = _of_units(part, _kl(latents), model.bound_unit == "reply")
    if latents.conversation is not None:
        kl = kl + _kl(latents.conversation)
    costs = {"nats": -importance_bound(weights), "elbo_nats": -weights.mean(1), "kl": kl}
    if num_prior_samples:
        given = model.log_weights(part.batch, num_prior_samples, generator, part.state, from_prior=True)
        costs["prior_nats"] = -importance_bound(given)
    return costs


def _kl(latents: LatentGaussians) -> Tensor:
    """Returns KL(posterior || prior) of each row, on the CPU."""
    posterior = Normal(latents.posterior_loc, latents.posterior_scale)
    prior = Normal(latents.prior_loc, latents.prior_scale)
    return kl_divergence(posterior, prior).double().sum(1).cpu()


def _of_units(part: Part, values: Tensor, by_reply: bool) -> Tensor:
    """Returns values (reply,) as they are, or added up for each window."""
    if by_reply:
        return values
    whole = torch.zeros(part.batch.num_conversations, dtype=torch.float64)
    return whole.index_add(0, part.batch.target_conversations, values.double())


def _numbers(part: Part, by_reply: bool) -> Tensor:
    """Returns the conversation and the turn of each unit, (2, unit); a window's turn is that of a target."""
    numbers = torch.stack([part.conversations, part.turns])
    if by_reply:
        return numbers
    whole = torch.zeros(2, part.batch.num_conversations, dtype=torch.int64)
    return whole.index_copy(1, part.batch.target_conversations, numbers)


def count_texts(talks: Iterable[Talk], rules: Sequence[WordRule]) -> Sums:
    """Counts the replies of each conversation, their characters, and their words by some rules.

    Returns:
        Sums `replies`, `characters` (one more a reply, for its end) and `words_<rule>` (the same).
    """
    ids, rows = [], []
    for talk in talks:
        ids.append(talk.id)
        ends = len(talk.replies)
        characters = sum(map(len, talk.replies)) + ends
        words = (sum(len(rule.cut(text)) for text in talk.replies) + ends for rule in rules)
        rows.append((ends, characters, *words))
    names = ["replies", "characters", *(f"words_{rule.name}" for rule in rules)]
    return Sums.of(ids, dict(zip(names, np.array(rows, np.float64).reshape(-1, len(names)).T, strict=True)))


def likelihood_figures(rules: Sequence[WordRule]) -> tuple[Figure, ...]:
    """Returns what the joined sums of `UnitCosts` and `count_texts` give; a model lacks some of them.

    `nats_per_token`, `…_character`, `…_reply` and `…_word_<rule>`; `perplexity` a token and
    `perplexity_word_<rule>`; for latent models `elbo_nats_per_token`, both perplexities of a z from the prior as
    `prior_perplexity…`, `kl_per_token` and `kl_per_reply`.
    """
    words = {f"word_{rule.name}": f"words_{rule.name}" for rule in rules}
    units = {"token": "tokens", "character": "characters", "reply": "replies"} | words
    return (
        *(ratio(f"nats_per_{unit}", "nats", column, True) for unit, column in units.items()),
        perplexity("perplexity", "nats", "tokens"),
        *(perplexity(f"perplexity_{word}", "nats", column) for word, column in words.items()),
        ratio("elbo_nats_per_token", "elbo_nats", "tokens", True),
        perplexity("prior_perplexity", "prior_nats", "tokens"),
        *(perplexity(f"prior_perplexity_{word}", "prior_nats", column) for word, column in words.items()),
        ratio("kl_per_token", "kl", "tokens", None),
        ratio("kl_per_reply", "kl", "replies", None),
    )


def turn_figures(last: int = LAST_TURN) -> tuple[Figure, ...]:
    """Returns nats a token of each turn, from the sums of `UnitCosts.turn_sums`."""
    return tuple(
        ratio(f"nats_per_token_turn_{turn}", f"nats_turn_{turn}", f"tokens_turn_{turn}", True)
        for turn in range(1, last + 1)
    )
