"""A small comparison for tests: conversations as texts, a tokenizer, tiny models with fresh weights."""

import numpy as np
import torch

from dialog.evaluation.comparison.material import Material
from dialog.models.registry import build_model, model_class
from dialog.text.tokenizer import Tokenizer, train_tokenizer

TEXTS = [
    ["hello you", "hello, how are you?", "I am well", "good"],
    ["is it warm?", "it is very warm"],
    ["what do you eat?", "bread and soup", "soup is good", "so it is", "bye"],
    ["hello you", "hello, how are you?"],
]


def make_tokenizer(vocabulary: int = 300) -> Tokenizer:
    return Tokenizer.from_bytes(train_tokenizer([text for talk in TEXTS for text in talk] * 3, vocabulary))


class Split:
    """Texts as a split of tokens."""

    def __init__(self, talks: list[list[str]], tokenizer: Tokenizer) -> None:
        self._talks = [[np.array(t, np.int32) for t in tokenizer.encode_all(talk)] for talk in talks]
        self.offsets = np.cumsum([0, *map(len, talks)]).astype(np.int64)
        self.lengths = np.array([len(tokens) for talk in self._talks for tokens in talk], np.int32)
        self.targets = np.ones(len(self.lengths), bool)
        self.targets[self.offsets[:-1]] = False

    def __len__(self) -> int:
        return len(self._talks)

    def __getitem__(self, index: int):
        first, last = self.offsets[index], self.offsets[index + 1]
        return type(
            "Conversation", (), {"utterances": self._talks[index], "targets": self.targets[first:last]}
        )


def make_material(tokenizer: Tokenizer, texts: list[list[str]] | None = None, **more) -> Material:
    talks = TEXTS if texts is None else texts
    ids = [f"talk {number}" for number in range(len(talks))]
    return Material(Split(talks, tokenizer), ids, tokenizer, "abc", **more)


def make_tiny(name: str, tokenizer: Tokenizer, seed: int = 1):
    fields = model_class(name).config_class.__dataclass_fields__
    sizes = {s: 8 for s in ("embedding_size", "hidden_size", "context_size", "latent_size") if s in fields}
    torch.manual_seed(seed)
    return build_model(name, {"vocab_size": tokenizer.num_tokens, **sizes}).eval()
