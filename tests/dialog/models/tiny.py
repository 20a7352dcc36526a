"""Small models in float64 with weights that make every part matter, and random windows for them.

Biases are drawn, too, and the token table is wide, so that a forgotten term or a wrong row shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dialog.layers.packing import Packing
from dialog.models.base import ContextState, LossParts, ReplyModel
from dialog.models.registry import build_model, model_class, model_name
from dialog.text.batches import EOS, Batch, Utterances, Window, utterances_of

NAMES = ["seq2seq", "hred", "vhred"]
REREADERS = ["transformer", "window"]
"""Models whose contexts are words, and whose decoders are their own."""
ALL = NAMES + REREADERS
AUTOENCODERS = ["autoencoder", "vae"]
"""Models that say again what they are given; `test_utterances` has their laws."""
FIRST_WORD = 4  # ids below are control tokens
SIZES = {
    "vocab_size": 30,
    "embedding_size": 6,
    "hidden_size": 8,
    "context_size": 7,
    "max_utterance_tokens": 12,
    "dropout": 0.0,
    "latent_size": 3,
    "latent_hidden_size": 5,
    "variance_scale": 0.8,
    "word_dropout": 0.0,
    "heads": 2,
    "feedforward_size": 10,
    "max_context_tokens": 17,
    "window_tokens": 5,
    "conversation_latent_size": 2,
    "conversation_reader_size": 6,
    "utterance_dropout": 0.0,
    "code_size": 3,
}


def make_model(name: str, dtype: torch.dtype = torch.float64, seed: int = 1, **overrides: Any) -> ReplyModel:
    """Builds a model in evaluation mode; `layers` sets the layers of encoder and decoder."""
    fields = model_class(name).config_class.__dataclass_fields__
    layers = overrides.pop("layers", 1)
    settings = SIZES | {"encoder_layers": layers, "decoder_layers": layers}
    torch.manual_seed(seed)
    model = build_model(name, {k: v for k, v in settings.items() if k in fields} | overrides)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.normal_(std=0.3)
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.weight.add_(1.0)
        model.table.weight.mul_(8)
    return model.to(dtype).eval()  # drawn in float32, so that both precisions have the same weights


def random_words(random: np.random.Generator, longest: int, vocab_size: int = 30) -> np.ndarray:
    return random.integers(FIRST_WORD, vocab_size, random.integers(1, longest + 1)).astype(np.int32)


def random_windows(
    turns: Sequence[int], seed: int = 1, longest: int = 7, vocab_size: int = 30
) -> list[Window]:
    """Returns a window of each number of turns; all turns but the first are targets."""
    random = np.random.default_rng(seed)
    return [
        Window([random_words(random, longest, vocab_size) for _ in range(count)], np.arange(count) > 0)
        for count in turns
    ]


def generators(count: int, first: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(first, first + count)]


@dataclass
class Costs:
    """What `loss` gave, the z it drew, and the logits (time, vocabulary) it made for each reply."""

    parts: LossParts
    latents: Tensor | None
    logits: list[Tensor]
    condition: Tensor
    prior: Tensor | None


def costs(model: ReplyModel, batch: Batch, state: ContextState | None = None, seed: int = 5) -> Costs:
    """Runs `loss` and watches what goes in and out of the decoder; a rereader has no condition to watch."""
    if model_name(model) in REREADERS:
        return _costs_of_rereader(model, batch, state, seed)
    seen: dict[str, Any] = {}
    hooks = [
        model.decoder.initial.register_forward_hook(lambda _, given, __: seen.update(condition=given[0])),
        model.decoder.combine.register_forward_hook(lambda _, __, out: seen.update(features=out.tanh())),
    ]
    if model.is_latent:
        hooks.append(model.prior.register_forward_hook(lambda _, __, out: seen.update(prior=out)))
    parts = model.loss(batch, torch.Generator(batch.device).manual_seed(seed), state)
    for hook in hooks:
        hook.remove()
    packing = Packing.of(batch.replies().lengths, batch.device)
    packed = model.table.logits(seen["features"])
    logits = [packed[row[row >= 0]] for row in packing.table()]
    latents = seen["condition"][:, -model.config.latent_size :] if model.is_latent else None
    prior = torch.cat([seen["prior"].mean, seen["prior"].stddev], dim=1) if model.is_latent else None
    return Costs(parts, latents, logits, seen["condition"], prior)


def _costs_of_rereader(model: ReplyModel, batch: Batch, state: ContextState | None, seed: int) -> Costs:
    seen: list[Tensor] = []
    losses = model.table.losses
    model.table.losses = lambda features, targets: (seen.append(features), losses(features, targets))[1]
    parts = model.loss(batch, torch.Generator(batch.device).manual_seed(seed), state)
    del model.table.losses
    packed, packing = model.table.logits(seen[0]), Packing.of(batch.replies().lengths, batch.device)
    logits = [packed[row[row >= 0]] for row in packing.table()]
    return Costs(parts, None, logits, packed.new_zeros(len(batch.targets), 0), None)


def states_before(model: ReplyModel, window: Window) -> list[ContextState]:
    """Returns the context state before each turn of a window, and behind the last, read one by one."""
    states = [model.start(1)]
    for words in window.utterances:
        states.append(model.observe(states[-1], utterances_of([words])))
    return states


def scored(model: ReplyModel, windows: Sequence[Window], latents: Tensor | None) -> Tensor:
    """Returns each target's NLL as `start`, `observe`, `plan` and `score` give it, a batch of one each."""
    results = []
    for window in windows:
        states = states_before(model, window)
        for turn in np.flatnonzero(window.targets):
            given = None if latents is None else latents[len(results)][None]
            plan = model.plan(states[turn], generators(1), given)
            results.append(-model.score(plan, utterances_of([window.utterances[turn]])).sum())
    return torch.stack(results)


def stepped_logits(model: ReplyModel, plan: Any, replies: Utterances) -> Tensor:
    """Returns (reply, time, vocabulary), one `step` a token of `replies`."""
    inputs = torch.cat([torch.full_like(replies.tokens[:, :1], 2), replies.tokens[:, :-1]], dim=1)
    results = []
    for tokens in inputs.T:
        logits, plan = model.step(tokens, plan)
        results.append(logits)
    return torch.stack(results, dim=1)


def greedy(model: ReplyModel, plan: Any, longest: int) -> list[int]:
    """Returns the most probable tokens of one reply, the end token left out."""
    token, words = 2, []
    while len(words) < longest:
        logits, plan = model.step(torch.tensor([token]), plan)
        token = int(logits.argmax())
        if token == EOS:
            break
        words.append(token)
    return words
