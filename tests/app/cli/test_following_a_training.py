"""What is left of a training to look at: a picture of its curves, and events for TensorBoard."""

import json
import sys

import pytest
from PIL import Image

from dialog.errors import UsageError

SETTINGS = (
    "hidden_size=12", "embedding_size=10", "context_size=12", "validate_every=3", "batch_tokens=300",
    "measure_replies=24", "sample_replies=2",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def plain_trainings():
    """Here pictures are drawn."""


@pytest.fixture
def train(hred, make_corpus, tmp_path):
    corpus = make_corpus(5)

    def run(*options, settings=SETTINGS):
        given = [part for setting in settings for part in ("--set", setting)]
        return hred("train", corpus, "--out", tmp_path / "run", "--log-every", 1, *given, *options)

    return run


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def scalars(folder):
    """Returns {name: [(update, value)]}, read by TensorBoard itself."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    tags = events.Tags()
    found = {name: [(e.step, e.value) for e in events.Scalars(name)] for name in tags["scalars"]}
    return found, tags["tensors"]


def test_a_training_leaves_a_picture_of_its_curves(train, tmp_path):
    train("--model", "vhred", "--max-updates", 6)
    with Image.open(tmp_path / "run" / "curves.png") as picture:
        picture.load()
        assert picture.size == (1200, 650)
        colors = picture.convert("RGB").getcolors(2**24)
        assert colors is not None and len(colors) > 50  # lines have been drawn


def test_a_picture_that_cannot_be_drawn_ends_no_training(train, tmp_path):
    (tmp_path / "run" / "curves.png").mkdir(parents=True)
    result = train("--model", "hred", "--max-updates", 3)
    assert "curves.png was not drawn" in result.output and "metrics.jsonl holds all figures" in result.output
    assert len(metrics(tmp_path / "run")) == 4
    assert (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_what_the_log_holds_also_after_a_resume(train, tmp_path):
    folder = tmp_path / "run"
    train("--model", "vhred", "--max-updates", 3, "--tracker", "tensorboard")
    train("--resume", "--max-updates", 6, "--tracker", "tensorboard", settings=())
    found, texts = scalars(folder)
    for split in ("train", "valid"):
        lines = [line for line in metrics(folder) if line["split"] == split]
        for name in ("nats_per_token", "kl_per_reply"):
            wanted = [(line["update"], pytest.approx(line[name], rel=1e-5)) for line in lines]
            assert found[f"{split}/{name}"] == wanted
    valid = [line for line in metrics(folder) if line["split"] == "valid"]
    assert found["valid/replies/distinct_2"] == [
        (line["update"], pytest.approx(line["replies"]["distinct_2"], rel=1e-5)) for line in valid
    ]
    assert [update for update, _ in found["train/kl_weight"]] == list(range(1, 7))
    assert any(name.startswith("valid/replies") for name in texts)


def test_another_tracker_is_refused_before_anything_is_written(train, tmp_path):
    with pytest.raises(UsageError, match="choose tensorboard"):
        train("--model", "hred", "--tracker", "mlflow")
    assert not (tmp_path / "run").exists()


def test_a_missing_tensorboard_is_a_sentence_with_the_command(train, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UsageError, match="pip install tensorboard"):
        train("--model", "hred", "--tracker", "tensorboard")
    assert not (tmp_path / "run").exists()
