"""What is learned: of those alone who agreed to it, each chat in one split, as the model was trained before."""

import json
from pathlib import Path

import pytest

from app.learning import Lessons, end_of, lessons_of, note_end, settings_of, write_lessons
from app.store import Store
from dialog.errors import StoreError
from dialog.models.config import parse_assignments
from dialog.models.registry import model_class
from dialog.training.config import training_config_class
from tests.app.reviews import add_reviews


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(f"sqlite:///{tmp_path / 'sessions.db'}") as opened:
        yield opened


def test_storing_and_learning_are_two_switches(store: Store, tmp_path: Path) -> None:
    add_reviews(store, "ann", 6, learns=True)
    bob = add_reviews(store, "bob", 6, learns=False)  # bob's chats are kept, and never learned
    assert store.owner_settings(bob).store and len(store.sessions(bob)) == 6
    lessons = lessons_of(store)
    assert (lessons.chats, lessons.replies) == (6, 6)
    assert lessons.whys == {"corrected": 3, "liked": 3}
    files = write_lessons(tmp_path / "run", lessons)
    written = b"".join(path.read_bytes() for path in files.values())
    assert b"ann" in written and b"bob" not in written
    assert all(lessons.version in path.name for path in files.values())
    assert (tmp_path / "run" / "learning").stat().st_mode & 0o077 == 0


def test_the_same_reviews_are_one_version_and_a_further_chat_moves_none(store: Store) -> None:
    add_reviews(store, "ann", 12, learns=True)
    before = lessons_of(store)
    assert lessons_of(store) == before
    add_reviews(store, "eve", 3, learns=True)
    after = lessons_of(store)
    assert after.version != before.version
    ids = [{json.loads(line)["id"] for line in lessons.lines["train"]} for lessons in (before, after)]
    moved = ids[0] - ids[1]
    assert len(moved) <= 1  # one at most: where no chat would have been valid by itself
    for lessons in (before, after):
        chats = [{json.loads(line)["id"].split("/")[0] for line in lines} for lines in lessons.lines.values()]
        assert chats[0] and chats[1] and not chats[0] & chats[1]


@pytest.mark.parametrize("count", [0, 1])
def test_too_little_is_a_sentence(store: Store, count: int) -> None:
    add_reviews(store, "ann", count, learns=True)
    with pytest.raises(StoreError, match=f"agreed to it: {count}, needed: 2"):
        lessons_of(store).check()
    Lessons(2, 2, {"liked": 2}, {}, "").check()


@pytest.mark.parametrize("name", ["hred", "vhred"])
def test_a_training_goes_on_as_the_model_was_trained(name: str) -> None:
    cls = model_class(name)
    training_class = training_config_class(cls.is_latent)
    before = {"max_tokens": 48, "bfloat16": True, "learning_rate": 0.1, "patience": 6, "unknown_later": 1}
    if cls.is_latent:
        before |= {"free_bits": 0.04, "kl_annealing_updates": 900, "kl_schedule": "cyclical"}
    sizes = cls.config_class.from_json({"vocab_size": 300, "hidden_size": 8, "embedding_size": 8}).to_json()
    found = settings_of({"model": name, "settings": sizes, "training": before}, 0.001, 40)
    ours, training = parse_assignments(found, cls.config_class, training_class)
    config = training_class.from_json(training)
    assert {**ours, "vocab_size": 300} == sizes
    assert (config.max_tokens, config.bfloat16, config.patience) == (48, True, 0)
    assert (config.learning_rate, config.decay_updates, config.warmup_updates) == (0.001, 40, 2)
    if cls.is_latent:
        assert (training["free_bits"], training["kl_annealing_updates"]) == (0.04, 0)


def test_how_it_ended_is_kept(tmp_path: Path) -> None:
    note_end(tmp_path, "done")  # not of the page: there is nowhere to note it
    assert end_of(tmp_path) is None
    (tmp_path / "learning").mkdir()
    note_end(tmp_path, "failed", "the reason")
    assert end_of(tmp_path) == ("failed", "the reason")
    (tmp_path / "learning" / "end.json").write_text("[")
    assert end_of(tmp_path) is None
