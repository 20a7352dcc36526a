"""Small models with fresh weights, and a tokenizer that knows Latin and Japanese text and emoji's bytes."""

import pytest
import torch

from dialog.models.base import ReplyModel
from dialog.models.registry import MODELS, build_model, model_class
from dialog.text.tokenizer import Tokenizer, train_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    texts = [f"I have {number} cats and you? こんにちは、元気ですか" for number in range(200)]
    return Tokenizer(train_tokenizer(texts, 320))


def small_model(name: str, tokenizer: Tokenizer, seed: int = 1) -> ReplyModel:
    torch.manual_seed(seed)
    sizes = {"vocab_size": tokenizer.num_tokens, "embedding_size": 12, "hidden_size": 16, "context_size": 14}
    sizes["feedforward_size"] = 24
    fields = model_class(name).config_class.__dataclass_fields__
    model = build_model(name, {size: value for size, value in sizes.items() if size in fields})
    with torch.no_grad():
        model.table.weight.mul_(12)  # fresh logits are so alike that a wrong one would hardly show
    return model.eval()


@pytest.fixture(scope="session", params=list(MODELS))
def model(request, tokenizer) -> ReplyModel:
    return small_model(request.param, tokenizer)


@pytest.fixture(scope="session")
def hred(tokenizer) -> ReplyModel:
    return small_model("hred", tokenizer)
