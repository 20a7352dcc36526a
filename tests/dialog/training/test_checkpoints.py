"""Whenever a process dies, the last good checkpoint loads; a damaged one is a sentence."""

import contextlib
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from dialog.errors import RunFolderError
from dialog.training import checkpoints
from dialog.training.checkpoints import (
    Progress,
    has_checkpoint,
    load_checkpoint,
    load_job_settings,
    save_checkpoint,
    save_job_settings,
)
from dialog.training.memory import keep_freed_memory
from dialog.training.metrics import IntervalSums, MetricsLog
from dialog.training.update import UpdateTotals


def trained(updates: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(1)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(updates):
        model(torch.ones(1, 3)).sum().backward()
        optimizer.step()
    return model, optimizer


def save(folder: Path, update: int) -> None:
    save_checkpoint(folder, *trained(update), Progress(update=update, best=1.5))


def loaded_update(folder: Path) -> int:
    """Loads into a fresh model and compares everything with what was trained."""
    model, optimizer = trained(0)
    progress = load_checkpoint(folder, model, optimizer)
    wanted, wanted_optimizer = trained(progress.update)
    assert torch.equal(model.weight, wanted.weight)
    assert optimizer.state_dict()["state"].keys() == wanted_optimizer.state_dict()["state"].keys()
    assert torch.equal(
        optimizer.state[model.weight]["exp_avg"], wanted_optimizer.state[wanted.weight]["exp_avg"]
    )
    assert progress.best == 1.5
    return progress.update


def test_the_last_two_are_kept(tmp_path) -> None:
    assert not has_checkpoint(tmp_path)
    for update in (5, 10, 15):
        save(tmp_path, update)
        assert loaded_update(tmp_path) == update
    save(tmp_path, 15)
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["10", "15", "latest.json"]


class Killed(BaseException):
    pass


@pytest.mark.parametrize(
    "name", ["write_atomically", "torch.save", "shutil.rmtree", "_flush_folder", "_remove_old", "os.fsync"]
)
def test_a_kill_at_any_step_leaves_the_last_good_one(tmp_path, monkeypatch, name) -> None:
    for last in range(4):
        folder = tmp_path / f"{last}"
        save(folder, 3)
        save(folder, 4)
        calls = iter(range(99))
        owner, _, attribute = name.rpartition(".")
        module = getattr(checkpoints, owner) if owner else checkpoints
        real = getattr(module, attribute)

        def dying(*arguments, calls=calls, last=last, real=real, **named):
            if next(calls) == last:
                raise Killed
            return real(*arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(module, attribute, dying)
            with contextlib.suppress(Killed):
                save(folder, 5)
        assert loaded_update(folder) in (4, 5)
        save(folder, 6)
        assert loaded_update(folder) == 6


def sentence(folder: Path) -> str:
    with pytest.raises(RunFolderError) as caught:
        load_checkpoint(folder, *trained(0))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_damage_is_a_sentence(tmp_path) -> None:
    assert "no checkpoint" in sentence(tmp_path)
    save(tmp_path, 3)
    for name in ("3/model.safetensors", "3/optimizer.pt", "3/progress.json", "latest.json"):
        path = tmp_path / "state" / name
        whole = path.read_bytes()
        for damage in (b"", b"garbage", whole[: len(whole) // 2], b"{}"):
            path.write_bytes(damage)
            assert "--init-from" in sentence(tmp_path)
        path.unlink()
        assert "checkpoint" in sentence(tmp_path)
        path.write_bytes(whole)
    assert loaded_update(tmp_path) == 3
    other = nn.Linear(4, 2)
    with pytest.raises(RunFolderError, match="cannot be loaded"):
        load_checkpoint(tmp_path, other, torch.optim.AdamW(other.parameters()))


def test_pickled_code_never_runs_on_resume(tmp_path) -> None:
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "boom",))

    save(tmp_path, 3)
    torch.save({"state": Bomb(), "param_groups": []}, tmp_path / "state" / "3" / "optimizer.pt")
    assert "cannot be loaded" in sentence(tmp_path)
    assert not (tmp_path / "boom").exists()


def test_job_settings_come_back_and_damage_is_a_sentence(tmp_path) -> None:
    job = {"model": "hred", "settings": {}, "training": {}, "seed": 3, "tokenizer_hash": "ab"}
    save_job_settings(tmp_path, job)
    assert load_job_settings(tmp_path) == job
    for damage in (b"", b"{", b"[]", b"{}"):
        (tmp_path / "state" / "job.json").write_bytes(damage)
        with pytest.raises(RunFolderError, match="leave out --resume"):
            load_job_settings(tmp_path)


def test_the_log_goes_on_behind_the_checkpoint_whatever_was_cut_off(tmp_path) -> None:
    log = MetricsLog(tmp_path, None)
    for update in (1, 2, 3):
        log.write({"update": update, "split": "train", "nats_per_token": float("nan")})
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"update": 2, "spl')
    MetricsLog(tmp_path, Progress(update=2)).write({"update": 3, "split": "train"})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["update"] for line in lines] == [1, 2, 3]
    assert lines[0]["nats_per_token"] is None  # NaN is no JSON
    MetricsLog(tmp_path, None)
    assert (tmp_path / "metrics.jsonl").read_text() == ""


def test_what_was_logged_of_an_update_after_its_checkpoint_is_logged_again(tmp_path) -> None:
    log = MetricsLog(tmp_path, None)
    log.write({"update": 4, "split": "train"})
    stood = log.flush()
    log.write({"update": 4, "split": "valid"})
    MetricsLog(tmp_path, Progress(update=4, log_bytes=stood)).write({"update": 4, "split": "valid"})
    text = (tmp_path / "metrics.jsonl").read_text()
    assert [json.loads(line)["split"] for line in text.splitlines()] == ["train", "valid"]


def test_interval_sums_weigh_by_tokens_and_count_the_raw_kl() -> None:
    sums = IntervalSums()
    sums.add(UpdateTotals(9.9, nll=6.0, kl=1.0, num_replies=1, num_tokens=3))
    sums.add(UpdateTotals(9.9, nll=2.0, kl=1.0, num_replies=2, num_tokens=2))
    sums = IntervalSums(json.loads(json.dumps(sums.state())))
    metrics = sums.metrics()
    assert metrics["nats_per_token"] == pytest.approx((8 + 2) / 5)
    assert metrics["kl_per_reply"] == pytest.approx(2 / 3)
    assert metrics["conversation_kl_per_conversation"] is None


def test_interval_sums_keep_the_kl_of_conversations_apart() -> None:
    sums = IntervalSums()
    for kl, conversations in ((5.0, 2), (1.0, 1)):
        sums.add(UpdateTotals(9.9, 6.0, 1.0, 4, 5, conversation_kl=kl, num_conversations=conversations))
    sums = IntervalSums(json.loads(json.dumps(sums.state())))
    metrics = sums.metrics()
    assert metrics["nats_per_token"] == pytest.approx((12 + 2 + 6) / 10)
    assert metrics["kl_per_reply"] == pytest.approx(2 / 8)
    assert metrics["conversation_kl_per_conversation"] == pytest.approx(6 / 3)


def test_keeping_memory_can_be_asked_for_twice() -> None:
    assert keep_freed_memory() == keep_freed_memory()
