"""Bots: each is loaded once, when it is asked for, and one that cannot be loaded does not take the others along."""

import json
import shutil
import threading

import pytest
import torch

from app.bots import Bots
from app.settings import Serving
from dialog.conversation import Conversation, Turn
from dialog.decoding.replies import Sampling
from dialog.errors import RunFolderError, UsageError
from dialog.models.registry import build_model
from dialog.run_folder import save_run
from dialog.text.tokenizer import Tokenizer, train_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    texts = [f"hello number {n}, how are you this {w} day?" for n in range(50) for w in ("fine", "grey")]
    tokenizer = Tokenizer.from_bytes(train_tokenizer(texts, 320))
    torch.manual_seed(1)
    settings = {"vocab_size": tokenizer.num_tokens, "embedding_size": 8, "hidden_size": 8}
    made = tmp_path_factory.mktemp("runs") / "hred"
    save_run(made, build_model("hred", settings), tokenizer, {}, "# hred\n")
    return made


def test_a_bot_is_loaded_once_however_many_ask_at_once(folder):
    bots = Bots({"hred": folder})
    together, got = threading.Barrier(4), []

    def ask():
        together.wait()
        got.append(bots.engine("hred"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4 and len({id(engine) for engine in got}) == 1


def test_nothing_is_loaded_before_it_is_asked_for(tmp_path):
    assert Bots({"later": tmp_path / "nowhere"}).names == ["later"]


def test_a_damaged_run_gives_its_sentence_and_the_others_still_answer(folder, tmp_path):
    bots = Bots({"broken": tmp_path, "hred": folder})
    bots.load_all()
    for _ in range(2):
        with pytest.raises(RunFolderError, match=str(tmp_path)):
            bots.engine("broken")
    assert bots.engine("hred") is bots.engine("hred")


def test_an_unknown_name_is_told_which_there_are(folder):
    with pytest.raises(RunFolderError, match="choose one of hred"):
        Bots({"hred": folder}).engine("gpt")


def test_two_folders_of_one_name_are_two_bots(folder):
    assert len(set(Bots.of([str(folder), str(folder)]).names)) == 2


@pytest.mark.parametrize(
    ("name", "direction", "sentence"),
    [("lm", "forward", "a run of lm.*`hred generate`"), ("hred", "backward", "was trained backwards")],
)
def test_a_run_that_answers_nothing_is_refused_before_the_page_opens(tmp_path, name, direction, sentence):
    config = {"model": name, "training": {"direction": direction}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match=sentence) as refused:
        Bots.of([str(tmp_path)])
    assert str(tmp_path) in str(refused.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"model": ["lm"]}', '{"model": "hred", "training": 1}'])
def test_a_config_that_cannot_be_read_is_told_when_the_run_is_loaded(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    bots = Bots.of([str(tmp_path)])
    with pytest.raises(RunFolderError):
        bots.engine(bots.names[0])


def test_a_run_that_int8_is_not_for_is_refused_before_the_page_opens(folder, tmp_path):
    serving = Serving(int8=True)
    assert Bots.of([str(folder)], serving).names == ["hred"]  # GRU layers under attention=general
    config = json.loads((folder / "config.json").read_text())
    config["settings"]["decoder_cell"] = "lstm"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        UsageError, match=r"HRED has no decoder that int8 is written for .* leave --int8 out"
    ) as refused:
        Bots.of([str(folder), str(tmp_path)], serving)
    assert str(tmp_path) in str(refused.value)
    assert len(Bots.of([str(tmp_path)]).names) == 1  # in float32 it answers
    (tmp_path / "config.json").write_text('{"model": "nothing", "settings": {}}')
    assert len(Bots.of([str(tmp_path)], serving).names) == 1  # is told when it is loaded


def test_a_bot_comes_and_goes_while_the_others_serve(folder, tmp_path):
    bots, told = Bots({"hred": folder}), []
    bots.watch(lambda: told.append(bots.names))
    with pytest.raises(UsageError, match="the only model here"):
        bots.remove("hred")
    other = tmp_path / "hred"
    shutil.copytree(folder, other)
    name = bots.add(str(other))
    assert name == "hred'" and bots.names == ["hred", name] and bots.engine(name) is not None
    assert bots.weights_hash(name) == bots.describe(name)["model_hash"] and bots.weights_hash("hred") is None
    with pytest.raises(UsageError, match="is loaded already, as hred'"):
        bots.add(str(tmp_path / "." / "hred"))
    engine = bots.engine(name)
    turn = Conversation("", (Turn("user", "hello number 3"),))
    asked = engine.submit(turn, Sampling(max_tokens=200, min_tokens=200), 1, 1)
    bots.remove(name)
    assert asked.future.result(120)[0].tokens  # what was asked before is still answered
    with pytest.raises(RunFolderError, match="choose one of hred"):
        bots.engine(name)
    assert told == [["hred", name], ["hred"]] and list(bots.loaded()) == []
    bots.close()


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (" ", "no run folder is named"),
        ("nowhere", "nowhere is no folder and no shipped model"),
        ("x" * 5000, "cannot be looked at|is no folder"),
        ("a\0b", "is no folder"),
    ],
)
def test_what_cannot_be_loaded_changes_nothing(folder, path, sentence):
    bots = Bots({"hred": folder})
    with pytest.raises((RunFolderError, UsageError), match=sentence):
        bots.add(path)
    assert bots.names == ["hred"]


def test_a_folder_with_a_changed_file_is_not_loaded(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    with (tmp_path / "copy" / "model.safetensors").open("r+b") as weights:
        weights.seek(-1, 2)
        weights.write(b"\x7f")
    bots = Bots({"hred": folder})
    for _ in range(2):  # the failure is not kept: the folder may be mended
        with pytest.raises(RunFolderError, match="SHA-256 differs"):
            bots.add(str(tmp_path / "copy"))
    assert bots.names == ["hred"] and bots.failure("copy") is None
    bots.close()
