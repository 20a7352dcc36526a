"""Every setting of training changes something that a run leaves behind, and nothing else does."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

from dialog.models.registry import build_model
from dialog.text.tokenizer import Tokenizer, train_tokenizer
from dialog.training.config import LatentTrainingConfig
from dialog.training.trainer import Trainer, TrainingJob

BASE: dict[str, Any] = {
    "batch_tokens": 100,
    "window_turns": 4,
    "lead_turns": 2,
    "max_tokens": 6,
    "learning_rate": 0.01,
    "warmup_updates": 2,
    "decay_updates": 5,
    "validate_every": 3,
    "validate_conversations": 3,
    "patience": 2,
    "kl_annealing_updates": 2,
}

CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "batch_tokens": (60, {}),
    "batches_per_update": (2, {}),
    "window_turns": (5, {}),
    "lead_turns": (1, {}),
    "max_tokens": (4, {}),
    "learning_rate": (0.02, {}),
    "warmup_updates": (3, {}),
    "decay_updates": (9, {}),
    "final_learning_rate": (0.5, {}),
    "weight_decay": (0.5, {}),
    "gradient_clip": (0.01, {}),
    "label_smoothing": (0.2, {}),
    "validate_every": (2, {}),
    "validate_conversations": (0, {}),
    "patience": (1, {"learning_rate": 1e-12, "validate_every": 2}),  # no bound is better than the first
    "keep": ("last", {"learning_rate": 1e-12}),  # no bound is better than the first
    "sample_replies": (1, {}),
    "measure_replies": (2, {}),
    "checkpoint_minutes": (0.01, {}),
    "direction": ("backward", {}),
    "bfloat16": (True, {}),
    "kl_annealing_updates": (4, {}),
    "kl_schedule": ("cyclical", {"kl_annealing_updates": 8}),
    "kl_cycles": (2, {"kl_annealing_updates": 8, "kl_schedule": "cyclical"}),
    "kl_rising_share": (1.0, {"kl_annealing_updates": 12, "kl_schedule": "cyclical"}),
    "free_bits": (1.0, {}),
    "bag_of_words_weight": (0.1, {}),
}
"""For each field a value that is not the base's, and what else must be set for it to matter."""

UPDATES = 6


class Silent:
    """Nobody looks on."""

    def started(self, loader: Any, progress: Any) -> None: ...

    def updated(self, progress: Any, metrics: Any) -> None: ...

    def validated(self, metrics: Any) -> None: ...


@dataclasses.dataclass
class Talk:
    utterances: list[np.ndarray]
    targets: np.ndarray


class Talks:
    """A split in memory: six conversations of seven turns; all turns but the first are targets."""

    def __init__(self, tokenizer: Tokenizer, seed: int) -> None:
        draw = np.random.default_rng(seed)
        texts = [" ".join(draw.choice(["I", "have", "cats", "you"], draw.integers(1, 5))) for _ in range(42)]
        self._rows = [np.array(tokenizer.encode(text), dtype=np.int32) for text in texts]
        self.lengths = np.array([len(row) for row in self._rows], dtype=np.int32)
        self.offsets = np.arange(0, 43, 7, dtype=np.int64)
        self.targets = np.arange(42) % 7 > 0

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Talk:
        turns = slice(7 * index, 7 * index + 7)
        return Talk(self._rows[turns], self.targets[turns])


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(train_tokenizer([f"I have {number} cats and you?" for number in range(200)], 290))


def left_behind(
    folder: Path, tokenizer: Tokenizer, settings: dict[str, Any], seconds: float = 0.0
) -> dict[str, Any]:
    """Trains a small VHRED, waits once, and returns what does not depend on the clock."""
    AcceleratorState._reset_state(True)  # a process trains in one precision; here it must change
    torch.manual_seed(1)
    sizes = {"vocab_size": tokenizer.num_tokens, "embedding_size": 6, "hidden_size": 8, "latent_size": 3}
    model = build_model("vhred", {**sizes, "bag_of_words": True})
    pauses = iter([0.0, seconds])

    def pause() -> bool:
        time.sleep(next(pauses, 0.0))
        return False

    config = LatentTrainingConfig.from_json(BASE | settings)
    splits = Talks(tokenizer, 1), Talks(tokenizer, 2)
    Trainer(
        TrainingJob(
            folder, model, tokenizer, *splits, config, {}, max_updates=UPDATES, log_every=1, should_stop=pause
        ),
        Silent(),
    ).run()
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    log = [{k: v for k, v in line.items() if k not in ("minutes", "tokens_per_second")} for line in lines]
    AcceleratorState._reset_state(True)
    return {
        "log": log,
        "weights": [p.flatten().tolist() for p in model.parameters()],
        "kept": json.loads((folder / "config.json").read_text())["chosen_by"]["update"],
        "checkpoints": sorted(path.name for path in (folder / "state").iterdir()),
    }


@pytest.fixture(scope="module")
def plain(tmp_path_factory, tokenizer) -> dict[str, Any]:
    return left_behind(tmp_path_factory.mktemp("plain"), tokenizer, {})


def test_the_same_settings_leave_the_same_behind(tmp_path, tokenizer, plain) -> None:
    """Or the test below would say nothing."""
    assert left_behind(tmp_path, tokenizer, {}) == plain
    assert [line["update"] for line in plain["log"] if line["split"] == "valid"] == [3, 6]


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(LatentTrainingConfig)])
def test_every_setting_changes_something(field, tmp_path, tokenizer, plain) -> None:
    assert field in CHANGES, f"there is the new setting {field}: say here what else it may be"
    value, more = CHANGES[field]
    assert value != getattr(LatentTrainingConfig.from_json(BASE), field)
    seconds = 60 * value + 0.1 if field == "checkpoint_minutes" else 0.0
    if more or seconds:
        plain = left_behind(tmp_path / "plain", tokenizer, more, seconds)
    other = left_behind(tmp_path / "other", tokenizer, {**more, field: value}, seconds)
    changed = {part for part in plain if plain[part] != other[part]}
    only = {
        "checkpoint_minutes": {"checkpoints"},
        "keep": {"kept"},
        "sample_replies": {"log"},
        "measure_replies": {"log"},
        "validate_conversations": {"log"},
    }
    assert changed and changed <= only.get(field, changed)
