"""The rows of the DailyDialog benchmark are of equal size, see equally much, and ask for nothing that is not there."""

import sys
from pathlib import Path

import numpy as np
import pytest

from dialog.models.config import parse_assignments
from dialog.models.registry import model_class
from dialog.training.config import training_config_class

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from dailydialog_rows import (
    MOST_DIFFERENCE,
    REFERENCE,
    ROWS,
    Row,
    Stage,
    fitted_settings,
    num_parameters,
)
from dailydialog_training import Budget, jobs_of
from figures import MadeUpSplit

COMMON = {"batch_tokens": 400, "learning_rate": 0.002}


@pytest.fixture(scope="module")
def budget() -> Budget:
    return Budget.of(30_000, MadeUpSplit(60, 500), COMMON, seed=1)


@pytest.mark.parametrize("hidden", [256, 512])
def test_rows_are_of_equal_size(hidden) -> None:
    sizes = {
        name: num_parameters(row.stages[-1].model, fitted_settings(row, 8000, hidden, {"dropout": 0.3}))
        for name, row in ROWS.items()
    }
    wanted = sizes[REFERENCE]
    assert all(abs(found - wanted) <= MOST_DIFFERENCE * wanted for found in sizes.values())


def test_a_size_that_cannot_be_fitted_is_told() -> None:
    row = Row("wide", "", (Stage("seq2seq"),), {"embedding_size": 9000})
    with pytest.raises(SystemExit, match="no size brings them together"):
        fitted_settings(row, 8000, 64, {})


@pytest.mark.parametrize("name", ROWS)
def test_the_stages_of_a_row_share_its_tokens_and_are_what_hred_train_takes(name, budget, tmp_path) -> None:
    row = ROWS[name]
    jobs = jobs_of(row, 3, fitted_settings(row, 500, 256, {"dropout": 0.3}), COMMON, budget, tmp_path)
    most = max(map(budget.loader.num_scored, budget.loader.epoch(0)))
    seen = sum(job.tokens for job in jobs)
    assert 30_000 <= seen < 30_000 + len(jobs) * most
    assert jobs[-1].folder == tmp_path / f"{name}-seed3" and not jobs[-1].is_done
    for before, job in zip([None, *jobs], jobs, strict=False):
        line = job.command(Path("corpus"), None)
        given = [line[place + 1] for place, word in enumerate(line) if word == "--set"]
        cls = model_class(job.stage.model)
        training_class = training_config_class(cls.is_latent)
        sizes, training = parse_assignments(given, cls.config_class, training_class)
        assert cls.config_class.from_json(sizes).to_json()["dropout"] == 0.3
        assert training_class.from_json(training).decay_updates == job.updates
        assert ("--init-from" in line) == (before is not None)


def test_the_budget_is_counted_as_the_loader_scores(budget) -> None:
    updates, seen = budget.updates(1.0)
    batches = [batch for epoch in range(20) for batch in budget.loader.epoch(epoch)]
    sums = np.cumsum([budget.loader.num_scored(batch) for batch in batches])
    assert seen == sums[updates - 1] >= 30_000 > sums[updates - 2]
