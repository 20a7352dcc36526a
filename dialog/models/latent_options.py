"""Settings of hierarchical models with latent variables.

| class | for |
|---|---|
| `LatentSettings` | a z for each reply |
| `ConversationSettings` | besides, a z that all replies of a conversation share |
"""

from dataclasses import dataclass

from dialog.models.config import setting
from dialog.models.options import HierarchicalSettings

__all__ = ["ConversationSettings", "LatentSettings"]

_LARGEST = 16_385


@dataclass(frozen=True)
class LatentSettings(HierarchicalSettings):
    """Sizes and kind of a model with a z for each reply; each field says its unit."""

    latent_size: int = setting(100, "dimensions of z", minimum=1, below=_LARGEST)
    latent_hidden_size: int = setting(
        200, "numbers of each tanh layer of prior and posterior", minimum=1, below=_LARGEST
    )
    variance_scale: float = setting(0.1, "what softplus is multiplied by to give a variance", minimum=1e-6)
    word_dropout: float = setting(
        0.25, "share of the decoder's input tokens made unknown in training", minimum=0.0, below=1.0
    )
    bag_of_words: bool = setting(
        False, "whether what the decoder starts from must also tell the reply's words, unordered"
    )


@dataclass(frozen=True)
class ConversationSettings(LatentSettings):
    """Sizes and kind of a model with a z for each reply and one for the conversation; each field says its unit."""

    word_dropout: float = setting(
        0.0, "share of the decoder's input tokens made unknown in training", minimum=0.0, below=1.0
    )
    context_turns: int = setting(
        16,
        "last turns that the context RNN reads, and that a chat infers the shared z from",
        minimum=1,
        below=1025,
    )
    conversation_latent_size: int = setting(
        100, "dimensions of the z that the replies of a conversation share", minimum=1, below=_LARGEST
    )
    conversation_reader_size: int = setting(
        256,
        "numbers of the RNN that reads a conversation in both directions for its z; even",
        minimum=2,
        below=_LARGEST,
        multiple_of=2,
    )
    utterance_dropout: float = setting(
        0.25,
        "share of the utterances that the context RNN hears as unknown in training",
        minimum=0.0,
        below=1.0,
    )
