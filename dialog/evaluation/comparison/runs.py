"""What is known of a run before it is scored, and whether it can be."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dialog.errors import RunFolderError, UsageError
from dialog.models.registry import check_answers
from dialog.run_folder import Run, load_run
from dialog.text.tokenizer import Tokenizer

__all__ = ["RunEntry", "describe_run", "load_for_scoring"]


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run that is compared.

    Attributes:
        name: what tables call it.
        folder: of the run.
        tokenizer: its own.
        weights_hash: SHA-256 of its weights.
        facts: what the report says of it, as plain JSON values.
    """

    name: str
    folder: Path
    tokenizer: Tokenizer
    weights_hash: str
    facts: dict[str, Any]

    @property
    def key(self) -> dict[str, Any]:
        """What results of it depend on."""
        return {
            "weights": self.weights_hash,
            "tokenizer": self.tokenizer.hash,
            "model": self.facts["model"],
            "settings": self.facts["settings"],
        }


def describe_run(name: str, folder: Path) -> RunEntry:
    """Loads a run, and keeps what is known of it.

    Raises:
        RunFolderError: it cannot be loaded, or has weights that are no numbers.
        UsageError: it answers no conversation.
    """
    run = load_for_scoring(folder)
    config = run.config
    facts: dict[str, Any] = {
        "model": run.name,
        "parameters": run.model.num_parameters,
        "latent": run.model.is_latent,
        "bound_unit": run.model.bound_unit,
        "weights_sha256": run.model_hash,
        "tokenizer_sha256": run.tokenizer.hash,
        "tokens_known": run.tokenizer.num_tokens,
        "settings": config["settings"],
        "training": config.get("training"),
        "seed": config.get("seed"),
        "update": (config.get("chosen_by") or {}).get("update"),
        "dialog_version": config.get("dialog_version"),
    }
    return RunEntry(name, folder, run.tokenizer, run.model_hash, facts)


def load_for_scoring(folder: Path) -> Run:
    """Loads a run onto the GPU, where there is one.

    Raises:
        RunFolderError: it cannot be loaded, or has weights that are no numbers.
        UsageError: it answers no conversation.
    """
    run = load_run(folder)
    check_answers(run.name, run.direction, folder)
    for name, values in run.model.state_dict().items():
        if values.is_floating_point() and not bool(torch.isfinite(values).all()):
            raise RunFolderError(
                f"{folder} has weights that are no numbers ({name} holds NaN or infinity), so nothing can be "
                "compared with it; train it again from an earlier checkpoint, or leave it out"
            )
    if torch.cuda.is_available():
        run.model.to("cuda")
    return run


def check_names(names: list[str]) -> None:
    """Checks that each run has a name of its own.

    Raises:
        UsageError: two have the same.
    """
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(
            f"two runs are called {twice.pop()!r}; give one another name: NEW_NAME=FOLDER in the place of FOLDER"
        )
