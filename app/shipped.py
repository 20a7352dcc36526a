"""The models that come with this project, found in a checkout and in an installed package alike."""

from importlib import resources
from pathlib import Path

from dialog.errors import RunFolderError

__all__ = ["run_path", "shipped_models"]

_ORDER = ("seq2seq", "hred", "vhred")


def shipped_models() -> dict[str, Path]:
    """Returns the shipped run folders by name, in the order in which the models grow out of one another."""
    package = Path(str(resources.files("app")))
    # Installed, the folder `data/` stands inside the package; in a checkout it stands beside it.
    models = next((p for p in (package / "data/models", package.parent / "data/models") if p.is_dir()), None)
    folders = sorted(models.iterdir()) if models else []
    folders = [folder for folder in folders if (folder / "manifest.json").is_file()]
    folders.sort(key=lambda folder: _ORDER.index(folder.name) if folder.name in _ORDER else len(_ORDER))
    return {folder.name: folder for folder in folders}


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
