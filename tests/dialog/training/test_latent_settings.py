"""What keeps z alive is saved with the run, is as it was after a resume, and waits for the schedule's end."""

import dataclasses
import json

import pytest
import torch

from dialog.models.registry import build_model
from dialog.run_folder import load_run
from dialog.training.config import LatentTrainingConfig
from dialog.training.trainer import Trainer, TrainingJob
from tests.dialog.training.test_fields import BASE, Silent, Talks, tokenizer

__all__ = ["tokenizer"]

TURNED = {
    "kl_schedule": "cyclical",
    "kl_annealing_updates": 8,
    "kl_cycles": 2,
    "kl_rising_share": 0.25,
    "free_bits": 0.03,
    "bag_of_words_weight": 0.4,
}
KEPT = {"word_dropout": 0.3, "bag_of_words": True, "latent_size": 3}


def make_job(folder, tokenizer, **settings) -> TrainingJob:
    torch.manual_seed(1)
    sizes = {"vocab_size": tokenizer.num_tokens, "embedding_size": 6, "hidden_size": 8}
    config = LatentTrainingConfig.from_json(BASE | TURNED | settings)
    splits = Talks(tokenizer, 1), Talks(tokenizer, 2)
    model = build_model("vhred", sizes | KEPT)
    return TrainingJob(folder, model, tokenizer, *splits, config, {}, max_updates=12, log_every=1)


def logged(folder) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["kl_weight"] for line in lines if line["split"] == "train"]


CYCLE = [0.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("stops", [[], [3], [5, 9]])
def test_they_are_in_the_run_folder_and_the_log_and_go_on_after_a_resume(tmp_path, tokenizer, stops) -> None:
    job = make_job(tmp_path, tokenizer)
    for number, end in enumerate([*stops, 12]):
        Trainer(dataclasses.replace(job, max_updates=end, resume=number > 0), Silent()).run()
    run = load_run(tmp_path)
    assert {name: run.config["training"][name] for name in TURNED} == TURNED
    assert LatentTrainingConfig.from_json(run.config["training"]) == job.config
    assert {name: run.config["settings"][name] for name in KEPT} == KEPT
    assert run.model.config == job.model.config
    assert logged(tmp_path) == [*CYCLE, *CYCLE, 1.0, 1.0, 1.0, 1.0]


def test_best_and_patience_wait_for_the_last_cycle(tmp_path, tokenizer) -> None:
    still = {"learning_rate": 1e-12, "validate_every": 1, "patience": 2}  # no bound is better than the first
    job = make_job(tmp_path, tokenizer, **still)
    progress = Trainer(job, Silent()).run()
    assert progress.best_update == 9  # the weight is 1 at updates 2 to 4 and 6 to 8, too
    assert progress.update == 11
