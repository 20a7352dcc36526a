"""Attention over encoded tokens or turns: the kinds by name.

| kind | what | file |
|---|---|---|
| `additive` | Bahdanau et al. 2015: a small network scores | `additive_attention` |
| `dot` | Luong et al. 2015: the product of query and value | `soft_attention` |
| `general` | Luong et al. 2015: the same with a matrix between | `soft_attention` |

Keys and values are computed once a source token (`project`), then met by any number of queries (`forward`).
`docs/attention.md` says what each is good for and what it costs.
"""

from dataclasses import dataclass

from dialog.errors import ConfigError
from dialog.layers.additive_attention import AdditiveAttention
from dialog.layers.soft_attention import (
    Attended,
    Attention,
    DotAttention,
    GeneralAttention,
    attend,
    masked_softmax,
)

__all__ = [
    "ATTENTIONS",
    "AdditiveAttention",
    "Attended",
    "Attention",
    "AttentionOptions",
    "DotAttention",
    "GeneralAttention",
    "attend",
    "make_attention",
    "masked_softmax",
]

ATTENTIONS = ("none", "additive", "dot", "general")
"""The kinds; with "none" a decoder has no attention."""


@dataclass(frozen=True, slots=True)
class AttentionOptions:
    """Which attention, and its options.

    Attributes:
        kind: one of `ATTENTIONS`.
    """

    kind: str = "general"

    def __post_init__(self) -> None:
        if self.kind not in ATTENTIONS:
            raise ConfigError(
                f"attention={self.kind} is no kind of attention; take one of {', '.join(ATTENTIONS)}"
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
    if options.kind == "additive":
        return AdditiveAttention(query_size, value_size)
    if options.kind == "dot":
        return DotAttention(query_size, value_size)
    if options.kind == "general":
        return GeneralAttention(query_size, value_size)
    raise ConfigError(f"attention={options.kind} is no layer; leave it out of the decoder instead")
