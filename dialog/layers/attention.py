"""Attention over encoded tokens or turns: the kinds by name.

| kind | what | file |
|---|---|---|
| `additive` | Bahdanau et al. 2015: a small network scores | `additive_attention` |
| `dot` | Luong et al. 2015: the product of query and value | `soft_attention` |
| `general` | Luong et al. 2015: the same with a matrix between | `soft_attention` |
| `multihead` | Vaswani et al. 2017: several scaled products side by side | `multihead_attention` |
| `hard` | Xu et al. 2015: one place is drawn | `hard_attention` |

Each can stand over tokens, over vectors of turns, or at both places of a `HierarchicalAttention`, tokens then turns
(`turn_attention`). Keys and values are computed once a source token (`project`), then met by any number of
queries (`forward`). `docs/attention.md` says what each is good for and what it costs.
"""

from dataclasses import dataclass

from dialog.errors import ConfigError
from dialog.layers.additive_attention import AdditiveAttention
from dialog.layers.hard_attention import HARD_TRAININGS, HardAttention, reinforce_term
from dialog.layers.multihead_attention import MultiheadAttention
from dialog.layers.soft_attention import (
    Attended,
    Attention,
    DotAttention,
    GeneralAttention,
    attend,
    masked_softmax,
)
from dialog.layers.turn_attention import HierarchicalAttention

__all__ = [
    "ATTENTIONS",
    "HARD_TRAININGS",
    "AdditiveAttention",
    "Attended",
    "Attention",
    "AttentionOptions",
    "DotAttention",
    "GeneralAttention",
    "HardAttention",
    "HierarchicalAttention",
    "MultiheadAttention",
    "attend",
    "make_attention",
    "make_hierarchical_attention",
    "masked_softmax",
    "reinforce_term",
]

ATTENTIONS = ("none", "additive", "dot", "general", "multihead", "hard")
"""The kinds; with "none" a decoder has no attention."""

_LOWEST_TEMPERATURE = 0.01
"""Below it, relaxed weights overflow for scores that do occur."""


@dataclass(frozen=True, slots=True)
class AttentionOptions:
    """Which attention, and its options.

    Attributes:
        kind: one of `ATTENTIONS`.
        heads: of `multihead`.
        hard_training: of `hard`, one of `HARD_TRAININGS`.
        temperature: of the relaxed weights of `hard` with `gumbel`.

    Raises:
        ConfigError: a value out of range.
    """

    kind: str = "general"
    heads: int = 4
    hard_training: str = "gumbel"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ATTENTIONS:
            raise ConfigError(
                f"attention={self.kind} is no kind of attention; take one of {', '.join(ATTENTIONS)}"
            )
        if self.heads < 1:
            raise ConfigError(f"attention_heads={self.heads} is too few; take 1 or more")
        if self.temperature < _LOWEST_TEMPERATURE:
            raise ConfigError(
                f"hard_temperature={self.temperature} is too low; take {_LOWEST_TEMPERATURE} or more"
            )


def make_attention(options: AttentionOptions, query_size: int, value_size: int) -> Attention:
    """Makes the attention that the options name.

    Args:
        options: which.
        query_size: size of a query.
        value_size: size of what is attended over.

    Raises:
        ConfigError: the sizes do not fit the kind, or the kind is "none", which is no layer.
    """
    match options.kind:
        case "additive":
            return AdditiveAttention(query_size, value_size)
        case "dot":
            return DotAttention(query_size, value_size)
        case "general":
            return GeneralAttention(query_size, value_size)
        case "multihead":
            return MultiheadAttention(query_size, value_size, options.heads)
        case "hard":
            return HardAttention(query_size, value_size, options.hard_training, options.temperature)
    raise ConfigError(f"attention={options.kind} is no layer; leave it out of the decoder instead")


def make_hierarchical_attention(
    options: AttentionOptions, query_size: int, value_size: int
) -> HierarchicalAttention:
    """Makes one attention of a kind over the tokens of each turn, and one of that kind over the turns.

    Args:
        options: which.
        query_size: size of a query.
        value_size: size of an encoded token.

    Raises:
        ConfigError: as `make_attention`.
    """
    words = make_attention(options, query_size, value_size)
    return HierarchicalAttention(words, make_attention(options, query_size, words.summary_size))
