"""Scores of texts: the sums of the model's own loss, and probabilities that sum to 1."""

import io

import numpy as np
import pytest
import sentencepiece
import torch

from dialog.conversation import Conversation, Turn
from dialog.errors import UsageError
from dialog.evaluation.bound import importance_bound
from dialog.evaluation.text_scores import read_context, score_texts
from dialog.models.registry import MODELS, build_model, model_class
from dialog.text.batches import BOS, EOS, Window, collate
from dialog.text.tokenizer import Tokenizer, train_tokenizer

EXACT = [
    name
    for name, entry in MODELS.items()
    if {"reply", "generate"} & set(entry.abilities) and not model_class(name).is_latent
]
TEXTS = ["how are you?", "I have 7 cats", "", "元気ですか", "you and you and you and you"]
CONTEXT = Conversation("", (Turn("A", "hello"), Turn("B", "how are you?"), Turn("A", "fine, and you?")))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    texts = [f"I have {number} cats and you? how are you 元気" for number in range(200)]
    return Tokenizer(train_tokenizer(texts, 320))


def make(name: str, tokenizer: Tokenizer):
    torch.manual_seed(1)
    fields = model_class(name).config_class.__dataclass_fields__
    sizes = {size: 8 for size in ("embedding_size", "hidden_size", "context_size") if size in fields}
    model = build_model(name, {"vocab_size": tokenizer.num_tokens, **sizes}).double().eval()
    with torch.no_grad():
        model.table.weight.mul_(8)
    return model


def windows(tokenizer: Tokenizer, before: Conversation, texts) -> list[Window]:
    read = [np.array(ids, np.int32) for ids in tokenizer.encode_all([turn.text for turn in before.turns])]
    targets = np.arange(len(read) + 1) == len(read)
    return [
        Window([*read, np.array(ids, dtype=np.int32)], targets) for ids in tokenizer.encode_all(list(texts))
    ]


@pytest.mark.parametrize("name", EXACT)
def test_nats_are_the_models_own_loss_and_the_sum_of_the_tokens(name, tokenizer) -> None:
    model = make(name, tokenizer)
    knows_context = "reply" in MODELS[name].abilities
    state = read_context(model, tokenizer, CONTEXT) if knows_context else None
    found = score_texts(model, tokenizer, TEXTS, state)
    loss = model.loss(collate(windows(tokenizer, CONTEXT, TEXTS)), torch.Generator())
    np.testing.assert_allclose([one.nats for one in found], loss.nll.tolist(), atol=1e-9)
    for one, length in zip(found, loss.num_tokens.tolist(), strict=True):
        assert sum(one.token_nats) == pytest.approx(one.nats, abs=1e-12)
        assert len(one.tokens) == len(one.pieces) == len(one.token_nats) == length
        assert one.tokens[-1] == EOS
        assert one.perplexity == pytest.approx(np.exp(one.nats / length))


def test_a_tokens_probability_and_that_of_all_others_sum_to_one(tokenizer) -> None:
    model = make("lm", tokenizer)
    for one in score_texts(model, tokenizer, TEXTS):
        state, token = model.plan(model.start(1), [torch.Generator()]), BOS
        for target, nats in zip(one.tokens, one.token_nats, strict=True):
            logits, state = model.step(torch.tensor([token]), state)
            chances = logits[0].detach().softmax(0)
            others = float(chances.sum() - chances[target])
            assert np.exp(-nats) + others == pytest.approx(1, abs=1e-9)
            token = target


def test_the_texts_beside_it_do_not_matter(tokenizer) -> None:
    for name in ("lm", "vhred"):
        model = make(name, tokenizer)
        state = None if name == "lm" else read_context(model, tokenizer, CONTEXT)
        together = score_texts(model, tokenizer, TEXTS, state, 5)
        for text, one in zip(TEXTS, together, strict=True):
            (alone,) = score_texts(model, tokenizer, [text], state, 5)
            assert alone.nats == pytest.approx(one.nats, abs=1e-9)
            assert alone.tokens == one.tokens


def test_a_latent_models_nats_are_its_bound(tokenizer) -> None:
    model = make("vhred", tokenizer)
    state = read_context(model, tokenizer, CONTEXT)
    found = score_texts(model, tokenizer, TEXTS, state, num_samples=7, seed=3)
    for one, window in zip(found, windows(tokenizer, CONTEXT, TEXTS), strict=True):
        weights = model.log_weights(collate([window]), 7, torch.Generator().manual_seed(3))
        assert one.nats == pytest.approx(-float(importance_bound(weights)), abs=1e-9)
        assert one.token_nats is None and one.to_json()["kind"] == "upper bound by 7 samples"
    other = score_texts(model, tokenizer, TEXTS, state, num_samples=7, seed=4)
    assert [one.nats for one in other] != [one.nats for one in found]


def test_unknown_text_is_counted() -> None:
    model_bytes = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["hello how are you", "fine and you"] * 20),
        model_writer=model_bytes,
        vocab_size=30,
        hard_vocab_limit=False,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        minloglevel=3,
    )
    tokenizer = Tokenizer(model_bytes.getvalue())
    known, unknown = score_texts(make("lm", tokenizer), tokenizer, ["hello", "hello 元 気"])
    assert (known.num_unknown, unknown.num_unknown) == (0, 2)
    assert np.isfinite(unknown.nats)


def test_nothing_to_score_and_nothing_to_read(tokenizer) -> None:
    model = make("hred", tokenizer)
    assert score_texts(model, tokenizer, []) == []
    with pytest.raises(UsageError, match="no text to answer"):
        read_context(model, tokenizer, Conversation("", (Turn("A", "  "),)))
