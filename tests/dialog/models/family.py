"""The members of the family, as settings: what the laws of `test_family` and the tests of the command go through."""

from typing import Any

from dialog.layers.attention import ATTENTIONS
from dialog.layers.cells import CELLS
from dialog.models.options import GNMT, SCOPES


def of_cell(cell: str) -> dict[str, Any]:
    return {"encoder_cell": cell, "decoder_cell": cell, "context_cell": cell}


CELL_MEMBERS: dict[str, dict[str, Any]] = {cell: of_cell(cell) for cell in CELLS} | {
    "cells differ": {"encoder_cell": "lstm", "context_cell": "gru", "decoder_cell": "rnn_tanh"},
    "leak learnt": of_cell("leaky") | {"leak": 0.3, "leak_learnt": True},
    "skips": {"time_skips": "2,4"},
    "skips of lstm": of_cell("lstm") | {"time_skips": "3"},
}
STACK_MEMBERS: dict[str, dict[str, Any]] = {
    "deep": {"encoder_layers": 3, "context_layers": 2, "decoder_layers": 3},
    "residual": {"encoder_layers": 3, "context_layers": 2, "decoder_layers": 3, "residual_from": 2},
    "normalised": {"encoder_layers": 2, "context_layers": 2, "decoder_layers": 2, "layer_norm": True},
    "forward encoder": {"encoder_directions": "forward"},
    "gnmt": dict(GNMT),
    "asks below": {"decoder_layers": 2, "attention_from": "bottom"},
    "deep without attention": {"decoder_layers": 3, "attention": "none"},
}
ATTENTION_MEMBERS: dict[str, dict[str, Any]] = {
    f"attention {kind}": {"attention": kind} | ({"attention_heads": 2} if kind == "multihead" else {})
    for kind in ATTENTIONS
}
SCOPE_MEMBERS: dict[str, dict[str, Any]] = {
    f"{kind} over {scope}": {"attention": kind, "attention_over": scope, "attention_turns": 3}
    | ({"attention_heads": 2} if kind == "multihead" else {})
    for kind in ATTENTIONS
    if kind != "none"
    for scope in SCOPES
}
FLAT = CELL_MEMBERS | STACK_MEMBERS | ATTENTION_MEMBERS
"""Members that every encoder-decoder has."""
HIERARCHICAL = FLAT | SCOPE_MEMBERS
"""Members of the models that know turns."""


def settings_of(member: dict[str, Any], config_class: Any) -> dict[str, Any]:
    """Returns the settings of a member that a model has; a flat model has no context RNN."""
    return {key: value for key, value in member.items() if key in config_class.__dataclass_fields__}
