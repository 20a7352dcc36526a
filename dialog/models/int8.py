"""A model whose decoder computes its products in int8 while it writes replies.

What a token costs is the decoder's recurrent product, its output layer and the product with the token table.
Their inputs are states and features, which tanh keeps within 1, and embedded tokens, whose largest value is
known. Contexts are read, and whole replies are scored, in float32: what is kept of a conversation is the same.
"""

from collections.abc import Mapping
from typing import Any

import torch

from dialog.errors import UsageError
from dialog.layers.int8 import Int8Linear
from dialog.models.base import ReplyModel
from dialog.models.decoder import ReplyDecoder
from dialog.models.parts import TokenTable
from dialog.models.registry import build_model

__all__ = ["check_int8", "decode_in_int8"]


def check_int8(name: str, settings: Mapping[str, Any], run: object) -> None:
    """Checks that a model has a decoder that int8 is written for, without reading its weights.

    Args:
        name: of the model.
        settings: that it is built with.
        run: its folder, for the sentence.

    Raises:
        UsageError: it has another decoder.
        ConfigError: there is no such model, or a setting cannot be.
    """
    with torch.device("meta"):
        model = build_model(name, settings)
    if not _is_plain(model):
        raise UsageError(f"{run}: {_refusal(model)}")


def decode_in_int8(model: ReplyModel) -> None:
    """Turns a model's decoder to int8, in place; `step` then computes in int8, all else as before.

    Args:
        model: in evaluation mode, on the CPU, in float32.

    Raises:
        UsageError: the model's decoder is of another kind, or on another device.
    """
    if not _is_plain(model):
        raise UsageError(_refusal(model))
    decoder: Any = model.decoder
    table: Any = model.table
    if table.weight.device.type != "cpu" or table.weight.dtype != torch.float32:
        raise UsageError("int8 is for models in float32 on the CPU; leave --int8 out")
    largest = float(table.weight.detach().abs().max()) or 1.0
    levels: Any = decoder.rnn.layers
    for index in range(decoder.num_layers):
        layer = levels[index][0]
        own = layer.weight_input[:, : layer.input_size]
        layer.step_products = (
            Int8Linear(own, layer.bias_input, bound=1.0 if index else largest),
            Int8Linear(layer.weight_hidden, layer.bias_hidden),
        )
    decoder.step_combine = Int8Linear(decoder.combine.weight, decoder.combine.bias)
    table.step_product = Int8Linear(table.weight, None)


def _is_plain(model: ReplyModel) -> bool:
    decoder, table = getattr(model, "decoder", None), getattr(model, "table", None)
    return type(decoder) is ReplyDecoder and type(table) is TokenTable and decoder.is_plain


def _refusal(model: ReplyModel) -> str:
    return (
        f"{type(model).__name__} has no decoder that int8 is written for (GRU layers under attention=general); "
        "leave --int8 out"
    )
