"""Weights of one model as the start of another, such as HRED's for VHRED."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dialog.errors import ConfigError

__all__ = ["check_same_kinds", "take_over"]

_READERS = {
    "encoder.rnn.": "encoder_cell",
    "hierarchy.encoder.rnn.": "encoder_cell",
    "hierarchy.rnn.": "context_cell",
    "hierarchy.reader.": "context_cell",
    "decoder.rnn.": "decoder_cell",
    "decoder.upper.": "decoder_cell",
    "decoder.attention.": "attention",
}
"""By what a weight's name begins with, the setting that says which equation it stands in."""

_ALIKE = {("lstm", "lstm_peephole"), ("general", "hard"), ("hard", "general")}
"""Kinds, there and here, whose shared weights stand in the same equations."""

_OF_RESERVOIR = ("spectral_radius", "reservoir_density", "input_scale")


def take_over(model: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Copies every weight that `model` has too; the leading columns where `model` has more of them.

    A latent's columns stand behind those of the context, so HRED's weights are VHRED's leading columns. What attention
    found stands before the decoder's state in W_c, so W_c of a decoder without attention has the trailing columns.

    Returns:
        The names that were taken over.

    Raises:
        ConfigError: no name is shared, or a shared weight does not fit.
    """
    own = {**dict(model.named_parameters()), **dict(model.named_buffers())}  # a reservoir is of buffers
    shared = [name for name in weights if name in own]
    if not shared:
        raise ConfigError("the two models share no weight by name; start from a run of a related model")
    with torch.no_grad():
        for name in shared:
            target, source = own[name], weights[name]
            if (
                source.dim() != target.dim()
                or source.shape[0] != target.shape[0]
                or (source.dim() == 2 and source.shape[1] > target.shape[1])
            ):
                raise ConfigError(
                    f"the weight {name} has the shape {tuple(source.shape)} there and {tuple(target.shape)} "
                    "here; set the same sizes and the same tokenizer as in the run to start from"
                )
            if name == "decoder.combine.weight":
                target[:, target.shape[1] - source.shape[1] :] = source
            elif source.dim() == 2:
                target[:, : source.shape[1]] = source
            else:
                target.copy_(source)
    return shared


def check_same_kinds(
    model: nn.Module, ours: Mapping[str, Any], weights: Mapping[str, Tensor], theirs: Mapping[str, Any]
) -> None:
    """Checks that shared weights stand in the same equations, which their names and sizes do not tell.

    Args:
        model: that shall take the weights over.
        ours: its settings.
        weights: of the other model.
        theirs: its settings; one without kinds is of an earlier version, of GRUs and Luong's general attention.

    Raises:
        ConfigError: a cell or an attention differs; the sentence names the setting.
    """
    own = {name for name, _ in (*model.named_parameters(), *model.named_buffers())}
    read = {
        setting
        for start, setting in _READERS.items()
        if any(name.startswith(start) and name in own for name in weights)
    }
    cells = read - {"attention"}
    for setting in sorted(read):
        there = theirs.get(setting, "gru" if setting in cells else "general")
        if there != ours[setting] and (there, ours[setting]) not in _ALIKE:
            raise _another(setting, there, ours[setting])
    if any(ours.get(setting) == "esn" for setting in cells):
        for setting in _OF_RESERVOIR:
            if theirs.get(setting, ours[setting]) != ours[setting]:
                raise _another(setting, theirs[setting], ours[setting])
    if cells:
        there, here = (_numbers(settings.get("time_skips", "")) for settings in (theirs, ours))
        if here[: len(there)] != there:
            raise _another("time_skips", theirs["time_skips"], ours["time_skips"] or "none")


def _numbers(text: str) -> list[int]:
    return sorted(int(part) for part in text.split(",") if part.strip())


def _another(setting: str, there: object, here: object) -> ConfigError:
    return ConfigError(
        f"{setting} is {there} in the run to start from and {here} here, so their weights are of other equations; "
        f"add --set {setting}={there}, or leave --init-from out"
    )
