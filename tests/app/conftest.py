"""Small, untrained models in run folders."""

from pathlib import Path

import pytest
import torch

from dialog.models.registry import build_model
from dialog.run_folder import save_run
from dialog.text.tokenizer import Tokenizer, train_tokenizer


@pytest.fixture(scope="session")
def api_folders(tmp_path_factory) -> dict[str, Path]:
    texts = [
        f"hello number {n}, how are you this {w} day? 元気ですか" for n in range(50) for w in ("fine", "grey")
    ]
    tokenizer = Tokenizer.from_bytes(train_tokenizer(texts, 330))
    folders = {}
    for name, hidden in (("hred", 16), ("vhred", 16), ("seq2seq", 900)):  # the last is slow on purpose
        torch.manual_seed(1)
        sizes = {"vocab_size": tokenizer.num_tokens, "embedding_size": 16, "hidden_size": hidden}
        folders[name] = tmp_path_factory.mktemp("api") / name
        model = build_model(name, sizes)
        with torch.no_grad():
            model.table.weight.mul_(12)
        save_run(folders[name], model, tokenizer, {}, f"# {name}\n")
    return folders
