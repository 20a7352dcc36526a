"""The only list of models: a new model is one file, one line here and one test file."""

from collections.abc import Mapping
from typing import Any

from dialog.errors import ConfigError
from dialog.models.base import ReplyModel
from dialog.models.hred import HRED
from dialog.models.language import LanguageModel
from dialog.models.seq2seq import Seq2Seq
from dialog.models.vhred import VHRED

__all__ = ["MODELS", "build_model", "model_class", "model_name"]

MODELS: dict[str, type[Any]] = {"seq2seq": Seq2Seq, "hred": HRED, "vhred": VHRED, "lm": LanguageModel}
"""Model classes by the name that commands and run folders use."""


def model_class(name: str) -> type[Any]:
    """Returns the class of a model.

    Raises:
        ConfigError: there is no such model.
    """
    if name not in MODELS:
        raise ConfigError(f"there is no model {name!r}; the models are {', '.join(MODELS)}")
    return MODELS[name]


def model_name(model: ReplyModel) -> str:
    """Returns the name of a model's class."""
    return next(name for name, cls in MODELS.items() if type(model) is cls)


def build_model(name: str, settings: Mapping[str, Any]) -> ReplyModel:
    """Makes a model with fresh weights, drawn from torch's global generator.

    Raises:
        ConfigError: no such model, an unknown setting, or a value out of range.
    """
    cls = model_class(name)
    model: ReplyModel = cls(cls.config_class.from_json(settings))
    return model
