"""What a run folder's own `config.json` says of its model before anything is loaded; nothing of torch is imported."""

import contextlib
import json
from pathlib import Path

from dialog.errors import ConfigError
from dialog.models.registry import MODELS, check_answers

__all__ = ["check_run_answers", "check_run_int8", "has_latent", "kind_of"]


def has_latent(folder: Path) -> bool:
    """Returns whether a run's model has a latent variable, by its own `config.json`."""
    kind = kind_of(folder)
    return kind in MODELS and MODELS[kind].has_latent


def kind_of(folder: Path) -> str:
    """Returns the name of a run's model by its own `config.json`; "" where that cannot be read."""
    try:
        return str(json.loads((folder / "config.json").read_bytes())["model"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def check_run_answers(folder: Path) -> None:
    """Checks by a run's own `config.json` that it answers; what cannot be read is told when the run is loaded.

    Raises:
        UsageError: it is of a kind that does not, or was trained backwards.
    """
    try:
        config = json.loads((folder / "config.json").read_bytes())
        name, direction = config["model"], config.get("training", {}).get("direction", "forward")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    if isinstance(name, str):
        check_answers(name, direction, folder)


def check_run_int8(folder: Path) -> None:
    """Checks by a run's own `config.json` that it can decode in int8; what cannot be read is told later.

    Raises:
        UsageError: it has no decoder for that.
    """
    from dialog.models.int8 import check_int8

    try:
        config = json.loads((folder / "config.json").read_bytes())
        name, settings = config["model"], dict(config["settings"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    with contextlib.suppress(ConfigError):
        check_int8(name, settings, folder)
