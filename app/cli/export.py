"""`hred export`: what is needed of a run to answer, and no more, to give away."""

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["export"]

_SENTENCES = {"samples", "warnings", "top_reply"}


def export(
    run: Annotated[str, typer.Argument(help="Run folder, or the name of a shipped model.")],
    out: Annotated[Path, typer.Option(help="Folder to write; must not hold a run yet.")],
    half: Annotated[bool, typer.Option("--half", help="Weights as float16: half the size.")] = False,
    card: Annotated[
        Path | None, typer.Option(help="Markdown file to take as model card instead of the run's own.")
    ] = None,
) -> None:
    """Copy a trained model without its checkpoints.

    The metrics go along without sample replies and warnings, which hold sentences of the corpus.
    """
    import json

    import torch

    from app.shipped import run_path
    from dialog.errors import UsageError
    from dialog.run_folder import load_run, save_run, write_atomically

    if (out / "manifest.json").exists():
        raise UsageError(f"{out} holds a run already; give another --out")
    folder = run_path(run)
    loaded = load_run(folder)
    shared = ("format_version", "dialog_version", "model", "settings")
    details = {key: value for key, value in loaded.config.items() if key not in shared}
    text = (card or folder / "model_card.md").read_text(encoding="utf-8")
    dtype = torch.float16 if half else torch.float32
    save_run(out, loaded.model, loaded.tokenizer, details, text, dtype)
    if (folder / "metrics.jsonl").exists():
        lines = (folder / "metrics.jsonl").read_bytes().splitlines()
        kept = [_without_sentences(json.loads(line)) for line in lines]
        write_atomically(out / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in kept).encode())
    size = (out / "model.safetensors").stat().st_size
    print(f"{out}: model.safetensors has {size / 1e6:.1f} MB")


def _without_sentences(metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_sentences(value) if isinstance(value, dict) else value
        for name, value in metrics.items()
        if name not in _SENTENCES
    }
