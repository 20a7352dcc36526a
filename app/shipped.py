"""The models and conversations that come with this project, found in a checkout and in an installed package alike."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from dialog.errors import LogError, RunFolderError

__all__ = ["for_language", "run_path", "shipped_conversations", "shipped_models"]

_ORDER = ("seq2seq", "hred", "vhred")


def shipped_models() -> dict[str, Path]:
    """Returns the shipped run folders by name, in the order in which the models grow out of one another."""
    models = _data("models")
    folders = sorted(models.iterdir()) if models else []
    folders = [folder for folder in folders if (folder / "manifest.json").is_file()]
    folders.sort(key=lambda folder: _place(folder.name))
    return {folder.name: folder for folder in folders}


def for_language(names: Sequence[str], language: str, at_least: int = 1) -> list[str]:
    """Returns the models among `names` to talk to in a language: all but the shipped ones of another language.

    The name tells a shipped model's language: hred-ja speaks Japanese, hred English. Where fewer than `at_least` would
    be left, all are returned.
    """
    shipped = shipped_models()
    kept = [name for name in names if name not in shipped or _language(name) == language]
    return kept if len(kept) >= at_least else list(names)


def _language(shipped: str) -> str:
    return shipped.partition("-")[2] or "en"


def _place(name: str) -> tuple[str, int]:
    kind = name.partition("-")[0]
    return _language(name), _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def shipped_conversations(language: str) -> Path:
    """Returns the folder of the conversations in a language, `en` or `ja`.

    Raises:
        LogError: it is not there.
    """
    folder = _data("conversations")
    if folder is None or not (folder / language).is_dir():
        raise LogError(f"no conversations in {language!r} came with this installation: install it again")
    return folder / language


def _data(name: str) -> Path | None:
    # Installed, the folder `data/` stands inside the package; in a checkout it stands beside it.
    package = Path(str(resources.files("app")))
    return next((p for p in (package / "data" / name, package.parent / "data" / name) if p.is_dir()), None)


def run_path(run: str) -> Path:
    """Returns the run folder that is meant: an existing folder, or a shipped model's name.

    Raises:
        RunFolderError: it is neither.
    """
    folder = Path(run)
    if folder.is_dir():
        return folder
    shipped = shipped_models()
    if run in shipped:
        return shipped[run]
    names = ", ".join(shipped) or "none"
    raise RunFolderError(
        f"{run} is no folder and no shipped model (these are: {names}); give the folder of a trained run"
    )
