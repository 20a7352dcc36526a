"""Arithmetic that the models' equations need for a batch, counted by hand from its real tokens.

One multiply-add of a matrix product is two operations. Only products count: embedding look-ups, gates,
softmax, dropout, clipping and the optimizer do not; nor does padding, and nothing counts twice that may be
kept, so that the products of the context and of z count once a reply and W_a s once a token.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dialog.models.base import ReplyModel
from dialog.models.registry import model_name
from dialog.text.batches import Batch

__all__ = [
    "Counts",
    "bound_multiply_adds",
    "bound_operations",
    "count_batch",
    "multiply_adds",
    "training_operations",
]


_GATES = {
    "gru": 3,
    "gru_reset_before": 3,
    "lstm": 4,
    "lstm_peephole": 4,
    "rnn_tanh": 1,
    "rnn_relu": 1,
    "leaky": 1,
    "esn": 1,
}
"""Products of a layer's input, and of its state, at a step."""
_COUNTED = {
    "attention_turns": 1,
    "context_turns": 1,
    "context_layers": 1,
    "encoder_directions": "both",
    "attention": "general",
    "attention_from": "top",
    "attention_over": "tokens",
    "time_skips": "",
}
"""Settings that the counts below are for; others of the same name would need more, or less."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Real things of a batch.

    Attributes:
        encoded_tokens: tokens of the utterances that the model reads, each utterance once.
        encoded_utterances: of them, those that the context RNN reads (0 for seq2seq).
        source_tokens: tokens that some reply attends over, each once.
        replies: targets.
        target_tokens: of them, the end tokens counted.
        attended: sum over the replies of target tokens times source tokens.
    """

    encoded_tokens: int
    encoded_utterances: int
    source_tokens: int
    replies: int
    target_tokens: int
    attended: int


def count_batch(model: ReplyModel, batch: Batch) -> Counts:
    """Counts what a model that attends over the last turn alone has to read of a batch."""
    settings: dict[str, Any] = model.config.to_json()
    name = model_name(model)
    for setting, counted in _COUNTED.items():
        if settings.get(setting, counted) != counted:
            raise ValueError(f"arithmetic is counted for {setting}={counted} alone, not {settings[setting]}")
    read = batch.utterances.lengths.clamp(max=settings["max_utterance_tokens"])
    sources = batch.source_rows(1)  # (reply,)
    source_lengths = torch.where(sources >= 0, read[sources.clamp(min=0)], 0)
    target_lengths = batch.utterances.lengths[batch.targets]
    used = sources[sources >= 0].unique()
    encoded, utterances = used, 0
    if name != "seq2seq":
        context = _context_rows(batch)
        encoded, utterances = context, len(context)
        if name == "vhred":  # the posterior reads the targets as well
            encoded = torch.cat([context, batch.targets]).unique()
    return Counts(
        int(read[encoded].sum()),
        utterances,
        int(read[used].sum()),
        len(batch.targets),
        int(target_lengths.sum()),
        int((target_lengths * source_lengths).sum()),
    )


def _context_rows(batch: Batch) -> Tensor:
    """Rows of the turns before each conversation's last target."""
    last = torch.zeros(batch.num_conversations, dtype=torch.int64)
    last = last.scatter_reduce(0, batch.target_conversations, batch.target_turns, "amax")
    return batch.rows[torch.arange(batch.rows.shape[1]) < last[:, None]]


def multiply_adds(model: ReplyModel, counts: Counts) -> dict[str, int]:
    """Returns the multiply-adds of a forward pass by product.

    - `encoder`: W_i x_t and W_h h_{t-1} of both directions, for each token read, as many gates as the cell has;
    - `context`: the same of the context RNN, for each utterance it reads;
    - `latent`: both tanh layers, loc and variance of prior and posterior, once a reply;
    - `start`: h_0 from the context (and z), and their product with the decoder's input weights, once a reply;
    - `decoder`: W_i y_{t-1} and W_h h_{t-1}, for each target token;
    - `attention`: W_a s for each source token; a score and a weighted sum for each pair of a target token and
      a source token of its reply; W_c [c_t; h_t] for each target token;
    - `output`: the logits, for each target token.
    """
    settings: dict[str, Any] = model.config.to_json()
    embedding, hidden = settings["embedding_size"], settings["hidden_size"]
    half, context = hidden // 2, settings.get("context_size", 0)
    latent, latent_hidden = settings.get("latent_size", 0), settings.get("latent_hidden_size", 0)
    condition = context + latent if context else hidden
    encoder_layers, decoder_layers = settings["encoder_layers"], settings["decoder_layers"]
    gates = {part: _GATES[settings.get(f"{part}_cell", "gru")] for part in ("encoder", "context", "decoder")}
    encoder = 2 * half * (embedding + half) + (encoder_layers - 1) * 2 * half * (hidden + half)
    encoder *= gates["encoder"]
    gaussian = latent_hidden * latent_hidden + 2 * latent_hidden * latent
    inference = (2 * context + hidden) * latent_hidden + 2 * gaussian
    at_every_step = gates["decoder"] * hidden * condition if context else 0
    decoder = gates["decoder"] * hidden * (embedding + hidden + (decoder_layers - 1) * 2 * hidden)
    # An LSTM starts from a cell as well as from a state.
    started = decoder_layers * hidden * (2 if settings.get("decoder_cell", "gru").startswith("lstm") else 1)
    bag_of_words = 0
    if settings.get("bag_of_words"):
        bag_of_words = condition * embedding + embedding * settings["vocab_size"]
    return {
        "encoder": counts.encoded_tokens * encoder,
        "context": counts.encoded_utterances * gates["context"] * context * (hidden + context),
        "latent": counts.replies * inference,
        "start": counts.replies * (condition * started + at_every_step),
        "decoder": counts.target_tokens * decoder,
        "attention": counts.source_tokens * hidden * hidden
        + counts.attended * 2 * hidden
        + counts.target_tokens * 2 * hidden * embedding,
        "output": counts.target_tokens * embedding * settings["vocab_size"] + counts.replies * bag_of_words,
    }


def training_operations(model: ReplyModel, batch: Batch) -> int:
    """Returns the operations of one update: two a multiply-add, and three times the forward pass.

    The backward pass of a product is two products of its size: for its input and for its weight.
    """
    return 2 * 3 * sum(multiply_adds(model, count_batch(model, batch)).values())


def bound_multiply_adds(model: ReplyModel, counts: Counts, num_samples: int) -> dict[str, int]:
    """Returns the multiply-adds of VHRED's log weights, K samples a reply, by product.

    Whatever does not depend on z counts once, not K times: encoder, context, prior and posterior; the context's
    part of h_0 and of the decoder's input; W_i y_{t-1} of each target token; of each source token W_a s, and
    W_cs s, for W_c [c_t; h_t] = W_cs c_t + W_ch h_t and c_t is a weighted sum of the s. What is left for each
    sample: z's part of h_0 and of the input, W_h h_{t-1}, scores and weighted sum, W_ch h_t, the logits.
    """
    settings: dict[str, Any] = model.config.to_json()
    embedding, hidden, context = (settings[f"{name}_size"] for name in ("embedding", "hidden", "context"))
    if settings["decoder_cell"] != "gru":
        raise ValueError("the bound's arithmetic is counted for decoder_cell=gru alone")
    layers = settings["decoder_layers"]
    once = multiply_adds(model, counts)
    of_condition = layers * hidden + 3 * hidden
    samples, tokens = counts.replies * num_samples, counts.target_tokens * num_samples
    further = (layers - 1) * 3 * hidden * 2 * hidden
    return {
        "encoder": once["encoder"],
        "context": once["context"],
        "latent": once["latent"],
        "start": (counts.replies * context + samples * settings["latent_size"]) * of_condition,
        "decoder": counts.target_tokens * 3 * hidden * embedding + tokens * (3 * hidden * hidden + further),
        "attention": counts.source_tokens * hidden * (hidden + embedding)
        + num_samples * counts.attended * (hidden + embedding)
        + tokens * hidden * embedding,
        "output": tokens * embedding * settings["vocab_size"],
    }


def bound_operations(model: ReplyModel, batch: Batch, num_samples: int) -> int:
    """Returns the operations of the log weights of a batch: two a multiply-add, there is no backward pass."""
    return 2 * sum(bound_multiply_adds(model, count_batch(model, batch), num_samples).values())
