"""Run folders of tiny models with fresh weights, for the commands that only read them."""

from pathlib import Path

import torch

from dialog.models.registry import build_model, model_class
from dialog.run_folder import save_run
from dialog.text.tokenizer import Tokenizer, train_tokenizer


def make_runs(folder: Path, names: list[str]) -> Path:
    """Writes a run a model, of one vocabulary."""
    texts = [f"hello number {n}, how are you?" for n in range(60)]
    tokenizer = Tokenizer.from_bytes(train_tokenizer(texts, 300))
    for name in names:
        fields = model_class(name).config_class.__dataclass_fields__
        sizes = {
            size: 8
            for size in ("embedding_size", "hidden_size", "context_size", "latent_size", "code_size")
            if size in fields
        }
        torch.manual_seed(1)
        model = build_model(name, {"vocab_size": tokenizer.num_tokens, **sizes})
        save_run(folder / name, model, tokenizer, {}, f"# {name}\n")
    return folder
