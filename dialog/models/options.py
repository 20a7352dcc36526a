"""Settings that several models share: which cells, how many layers, which attention.

| class | for |
|---|---|
| `RecurrentSettings` | whatever has a recurrent decoder: tokens, its cell and layers |
| `EncoderSettings` | an utterance encoder besides |
| `EncoderDecoderSettings` | attention besides |
| `HierarchicalSettings` | a context RNN besides |

They turn themselves into what layers take: `decoder_stack()`, `encoder_stack()`, `context_stack()`,
`attention_options()`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from dialog.errors import ConfigError
from dialog.layers.attention import ATTENTIONS, AttentionOptions
from dialog.layers.cells import CELL_OPTIONS, CELLS, CellOptions
from dialog.layers.stack import DIRECTIONS, StackOptions
from dialog.models.config import Settings, setting

__all__ = [
    "GNMT",
    "SCOPES",
    "EncoderDecoderSettings",
    "EncoderSettings",
    "HierarchicalSettings",
    "RecurrentSettings",
]

SCOPES = ("tokens", "turns", "tokens_then_turns")
"""What attention of a model that knows turns looks at."""

_LARGEST = 16_385
_MOST_LAYERS = 9
_LONGEST_SKIP = 64

GNMT = {
    "encoder_cell": "lstm",
    "encoder_layers": 8,
    "encoder_directions": "first",
    "decoder_cell": "lstm",
    "decoder_layers": 8,
    "residual_from": 3,
    "attention": "additive",
    "attention_from": "bottom",
}
"""Wu et al. 2016, "Google's Neural Machine Translation System", section 3, in the sizes that are set beside it."""


def _cells(settings: Any) -> set[str]:
    names = ("encoder_cell", "context_cell", "decoder_cell")
    return {getattr(settings, name) for name in names if hasattr(settings, name)}


def _most_layers(settings: Any) -> int:
    names = ("encoder_layers", "context_layers", "decoder_layers")
    layers: list[int] = [getattr(settings, name) for name in names if hasattr(settings, name)]
    return max(layers)


def _has_reservoir(settings: Any) -> bool:
    return "esn" in _cells(settings)


def _attends(settings: Any) -> bool:
    return bool(settings.attention != "none")


@dataclass(frozen=True)
class RecurrentSettings(Settings):
    """Sizes and kind of a recurrent decoder; each field says its unit."""

    refused: ClassVar = {
        "decoder_directions": "a decoder writes from left to right and cannot read what is not written yet; "
        "only an encoder can be bidirectional",
        "context_directions": "the context is read turn by turn, before the later turns exist; only the "
        "utterance encoder can be bidirectional",
        "bidirectional": "only an utterance encoder can be bidirectional; set encoder_directions",
    }

    vocab_size: int = setting(8000, "tokens that the tokenizer knows; taken from the corpus", minimum=5)
    embedding_size: int = setting(256, "numbers for a token", minimum=1, below=_LARGEST)
    embedding_deviation: float = setting(
        0.1,
        "standard deviation of these numbers before training; 1 where single words must be told apart early",
        minimum=1e-3,
        below=100.0,
    )
    hidden_size: int = setting(256, "numbers of the decoder's state", minimum=1, below=_LARGEST)
    decoder_cell: str = setting("gru", "recurrent cell of the decoder", choices=CELLS)
    decoder_layers: int = setting(1, "layers of the decoder", minimum=1, below=_MOST_LAYERS)
    residual_from: int = setting(
        0,
        "first layer, counted from 1, whose input is added to its output; 0 for none, else 2 or more",
        minimum=0,
        below=_MOST_LAYERS,
        read_by="stacks of two layers or more, from the second to the last layer",
        is_read=lambda s: 2 <= s.residual_from <= _most_layers(s),
    )
    layer_norm: bool = setting(False, "whether the output of each recurrent layer is normalised")
    time_skips: str = setting("", "steps back that the state also sees itself, such as 2,5; each 2 or more")
    leak: float = setting(
        0.5,
        "share of a leaky unit's state that is new at a step",
        minimum=1e-3,
        maximum=1.0,
        read_by="cells leaky and esn",
        is_read=lambda s: bool(_cells(s) & {"leaky", "esn"}),
    )
    leak_learnt: bool = setting(
        False,
        "whether each leaky unit learns its leak",
        read_by="the cell leaky",
        is_read=lambda s: "leaky" in _cells(s),
    )
    spectral_radius: float = setting(
        0.9,
        "largest absolute eigenvalue of a reservoir's recurrent weights",
        minimum=1e-3,
        below=2.0,
        read_by="the cell esn",
        is_read=_has_reservoir,
    )
    reservoir_density: float = setting(
        0.1,
        "share of a reservoir's recurrent weights that are not 0",
        minimum=1e-3,
        maximum=1.0,
        read_by="the cell esn",
        is_read=_has_reservoir,
    )
    input_scale: float = setting(
        0.5,
        "largest absolute weight of a reservoir's inputs",
        minimum=1e-3,
        below=100.0,
        read_by="the cell esn",
        is_read=_has_reservoir,
    )
    dropout: float = setting(0.1, "share of values dropped in training", minimum=0.0, below=1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.skips()

    def skips(self) -> tuple[int, ...]:
        """Returns `time_skips` as numbers, ascending.

        Raises:
            ConfigError: it is not a list of different numbers from 2 to 64.
        """
        parts = [part.strip() for part in self.time_skips.split(",")] if self.time_skips.strip() else []
        numbers = sorted({int(part) for part in parts if part.isdecimal()})
        if len(numbers) != len(parts) or any(not 2 <= number <= _LONGEST_SKIP for number in numbers):
            raise ConfigError(
                f"{type(self).__name__}.time_skips is {self.time_skips!r}, but must be different numbers from 2 "
                f"to {_LONGEST_SKIP} with commas between, such as 2,5, or nothing"
            )
        return tuple(numbers)

    def decoder_stack(self) -> StackOptions:
        """Returns how the decoder is built."""
        return self._stack(self.decoder_cell, self.decoder_layers)

    def attention_options(self) -> AttentionOptions:
        """Returns how a reply attends: not at all, unless there are settings of it."""
        return AttentionOptions("none")

    @property
    def asks_below(self) -> bool:
        """Whether the bottom layer of the decoder attends, not the top one."""
        return False

    def _stack(self, cell: str, num_layers: int, directions: str = "forward") -> StackOptions:
        given = {
            "leak": self.leak,
            "leak_learnt": self.leak_learnt,
            "spectral_radius": self.spectral_radius,
            "density": self.reservoir_density,
            "input_scale": self.input_scale,
        }
        read: dict[str, Any] = {name: given[name] for name in CELL_OPTIONS.get(cell, ())}
        options = CellOptions(cell, self.skips(), **read)
        return StackOptions(
            options, num_layers, directions, self.residual_from, self.layer_norm, self.dropout
        )


@dataclass(frozen=True)
class EncoderSettings(RecurrentSettings):
    """Sizes and kind of an encoder of utterances and a decoder; each field says its unit."""

    hidden_size: int = setting(
        256,
        "numbers of the decoder's state and of an encoded token; even",
        minimum=2,
        below=_LARGEST,
        multiple_of=2,
    )
    encoder_cell: str = setting("gru", "recurrent cell of the utterance encoder", choices=CELLS)
    encoder_layers: int = setting(1, "layers of the utterance encoder", minimum=1, below=_MOST_LAYERS)
    encoder_directions: str = setting(
        "both", "layers of the encoder that read in both directions: both for all", choices=DIRECTIONS
    )
    max_utterance_tokens: int = setting(64, "tokens of an utterance that are read, the first ones", minimum=2)

    def encoder_stack(self) -> StackOptions:
        """Returns how the utterance encoder is built."""
        return self._stack(self.encoder_cell, self.encoder_layers, self.encoder_directions)


@dataclass(frozen=True)
class EncoderDecoderSettings(EncoderSettings):
    """Sizes and kind of an encoder-decoder with attention; each field says its unit."""

    presets: ClassVar = {"gnmt": GNMT}

    attention: str = setting("general", "how a reply looks at what was said", choices=ATTENTIONS)
    attention_heads: int = setting(
        4,
        "heads; each takes its share of hidden_size",
        minimum=1,
        below=65,
        read_by="attention=multihead",
        is_read=lambda s: s.attention == "multihead",
    )
    hard_attention: str = setting(
        "gumbel",
        "how the choice of one place is trained",
        choices=("gumbel", "reinforce"),
        read_by="attention=hard, and reinforce for attention_from=top",
        is_read=lambda s: s.attention == "hard" and s.attention_from == "top",
    )
    hard_temperature: float = setting(
        1.0,
        "temperature of the relaxed choice that the gradient is of",
        minimum=1e-2,
        below=100.0,
        read_by="attention=hard with hard_attention=gumbel",
        is_read=lambda s: s.attention == "hard" and s.hard_attention == "gumbel",
    )
    attention_from: str = setting(
        "top",
        "layer of the decoder that asks; what the bottom layer finds is given to all above",
        choices=("top", "bottom"),
        read_by="a decoder of two layers or more that attends",
        is_read=lambda s: s.decoder_layers > 1 and _attends(s),
    )

    def attention_options(self) -> AttentionOptions:
        """Returns how a reply attends."""
        return AttentionOptions(
            self.attention, self.attention_heads, self.hard_attention, self.hard_temperature
        )

    @property
    def asks_below(self) -> bool:
        """Whether the bottom layer of the decoder attends, not the top one."""
        return self.attention_from == "bottom"


@dataclass(frozen=True)
class HierarchicalSettings(EncoderDecoderSettings):
    """Sizes and kind of a hierarchical encoder-decoder; each field says its unit."""

    context_size: int = setting(256, "numbers of the context RNN's state", minimum=1, below=_LARGEST)
    context_cell: str = setting("gru", "recurrent cell of the context RNN", choices=CELLS)
    context_layers: int = setting(1, "layers of the context RNN", minimum=1, below=_MOST_LAYERS)
    attention_over: str = setting(
        "tokens",
        "what a reply attends over: tokens, the turns' vectors, or tokens and then turns",
        choices=SCOPES,
        read_by="a decoder that attends",
        is_read=_attends,
    )
    attention_turns: int = setting(
        1,
        "last turns that a reply attends over",
        minimum=1,
        read_by="a decoder that attends",
        is_read=_attends,
    )

    def context_stack(self) -> StackOptions:
        """Returns how the context RNN is built."""
        return self._stack(self.context_cell, self.context_layers)
