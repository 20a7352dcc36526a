"""A saved model answers the same elsewhere; a folder that was changed does not load; a kill loses nothing."""

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dialog import run_folder
from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Sampling
from dialog.errors import RunFolderError
from dialog.models.base import ReplyModel
from dialog.models.registry import MODELS, build_model, model_class
from dialog.run_folder import CONFIG, MANIFEST, TOKENIZER, WEIGHTS, load_run, load_weights, save_run
from dialog.text.tokenizer import Tokenizer, train_tokenizer

CHAT = Conversation("", (Turn("A", "a number of words"), Turn("B", "which words?"), Turn("A", "some words")))
ASKED = Sampling(temperature=1.2, max_tokens=10)
ANSWER = f"""
import json, sys
from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Sampling
from dialog.run_folder import load_run
for folder in sys.argv[1:]:
    run = load_run(folder)
    replies = Replier.from_run(run).reply({CHAT!r}, {ASKED!r}, 4, seed=9)
    print(json.dumps([run.model_hash, [reply.tokens for reply in replies]]))
"""


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(train_tokenizer([f"a number of words {number}" for number in range(100)], 290))


def built(name: str, tokenizer: Tokenizer, seed: int = 1) -> ReplyModel:
    torch.manual_seed(seed)
    settings = {"vocab_size": tokenizer.num_tokens, "embedding_size": 12, "hidden_size": 14}
    fields = model_class(name).config_class.__dataclass_fields__
    model = build_model(name, {size: value for size, value in settings.items() if size in fields})
    with torch.no_grad():
        model.table.weight.mul_(10)
    return model


@pytest.fixture
def run(tmp_path, tokenizer) -> Path:
    folder = tmp_path / "run"
    save_run(folder, built("hred", tokenizer), tokenizer, {"seed": 1}, "# card")
    return folder


def test_a_saved_model_answers_the_same_in_a_fresh_process(tmp_path, tokenizer) -> None:
    here = []
    names = [name for name, entry in MODELS.items() if "reply" in entry.abilities]
    for name, dtype in [*((name, torch.float32) for name in names), ("vhred", torch.float16)]:
        model = built(name, tokenizer)
        for parameter in model.parameters():
            parameter.data = parameter.data.to(dtype).float()
        model_hash = save_run(tmp_path / f"{len(here)}", model, tokenizer, {}, "", dtype)
        replies = Replier(model, tokenizer, "").reply(CHAT, ASKED, 4, seed=9)
        here.append([model_hash, [list(reply.tokens) for reply in replies]])
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        ANSWER,
        *(str(tmp_path / f"{n}") for n in range(len(here))),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == here
    whole, half = (
        (tmp_path / name / WEIGHTS).stat().st_size for name in (str(names.index("vhred")), str(len(names)))
    )
    assert half < 0.6 * whole


def test_what_is_loaded_is_what_was_saved(run, tokenizer) -> None:
    loaded, model = load_run(run), built("hred", tokenizer)
    assert (loaded.name, loaded.config["seed"], loaded.model.training) == ("hred", 1, False)
    assert loaded.model.config == model.config
    assert loaded.tokenizer.model_bytes == tokenizer.model_bytes
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], value)
    weights, config = load_weights(run)
    assert config["model"] == "hred"
    assert weights.keys() == model.state_dict().keys()


def sentence(folder: Path) -> str:
    """The one line that loading a bad folder says."""
    with pytest.raises(RunFolderError) as caught:
        load_run(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, TOKENIZER])
def test_a_flipped_byte_does_not_load(run, name) -> None:
    whole = (run / name).read_bytes()
    for place in (0, len(whole) // 2, len(whole) - 1):
        changed = bytearray(whole)
        changed[place] ^= 1
        (run / name).write_bytes(changed)
        assert "SHA-256 differs" in sentence(run)
    (run / name).write_bytes(whole[:-1])
    assert "SHA-256 differs" in sentence(run)
    (run / name).write_bytes(whole)
    load_run(run)


def test_any_flipped_bit_of_the_manifest_is_a_sentence_or_changes_nothing(run) -> None:
    whole = (run / MANIFEST).read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        (run / MANIFEST).write_bytes(changed)
        with contextlib.suppress(RunFolderError):
            load_run(run)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, TOKENIZER, MANIFEST])
def test_a_missing_file_is_named(run, name) -> None:
    (run / name).unlink()
    assert f"has no {name}" in sentence(run)


def test_no_folder_at_all(tmp_path) -> None:
    assert "is no folder" in sentence(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    assert "is no folder" in sentence(tmp_path / "file")


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\xff\x00", b"[]", b"{}", b'{"files": []}', b'{"files": {"model.safetensors": 3}}', b"null"],
)
def test_a_garbage_manifest_is_a_sentence(run, garbage) -> None:
    (run / MANIFEST).write_bytes(garbage)
    assert MANIFEST in sentence(run) or "SHA-256" in sentence(run)


def rewrite(folder: Path, name: str, data: bytes) -> None:
    """Changes a file and its hash in the manifest, as somebody who makes folders by hand would."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest["files"][name] = [run_folder._hash(data)]
    (folder / MANIFEST).write_text(json.dumps(manifest))


def reconfigured(folder: Path, change) -> str:
    config = json.loads((folder / CONFIG).read_bytes())
    change(config)
    rewrite(folder, CONFIG, json.dumps(config).encode())
    return sentence(folder)


def test_configs_that_fit_nothing_here_are_sentences(run) -> None:
    whole = (run / CONFIG).read_bytes()
    cases = [
        ("'color'", lambda c: c["settings"].update(color=3)),
        ("hidden_size", lambda c: c["settings"].update(hidden_size="big")),
        ("no model 'oracle'", lambda c: c.update(model="oracle")),
        ("does not fit", lambda c: c["settings"].update(hidden_size=16)),
        ("does not fit", lambda c: c["settings"].update(vocab_size=300)),
        ("is of no format", lambda c: c.update(format_version=2)),
        ("is of no format", lambda c: c.pop("format_version")),
        ("is of no format", lambda c: c.update(settings=[])),
        ("is of no format", lambda c: c.pop("model")),
        ("is of no format", lambda c: c.update(model=["hred"])),
    ]
    for words, change in cases:
        assert words in reconfigured(run, change)
        rewrite(run, CONFIG, whole)
    load_run(run)


def test_weights_and_tokenizers_that_are_none_are_sentences(run, tokenizer) -> None:
    weights = (run / WEIGHTS).read_bytes()
    for garbage in (b"", b"\x80\x04}q\x00.", b"PK\x03\x04" + bytes(50), weights[: len(weights) // 2]):
        rewrite(run, WEIGHTS, garbage)
        sentence(run)
    with pytest.raises(RunFolderError, match="holds no weights"):
        load_weights(run)
    rewrite(run, WEIGHTS, weights)
    for garbage in (b"", b"no tokenizer", tokenizer.model_bytes[: len(tokenizer.model_bytes) // 2]):
        rewrite(run, TOKENIZER, garbage)
        sentence(run)
    other = train_tokenizer(["other words here"] * 5, 280)
    rewrite(run, TOKENIZER, other)
    assert "another vocabulary" in sentence(run)


def test_pickled_code_never_runs(run, tmp_path) -> None:
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "boom",))

    torch.save({"weight": Bomb()}, tmp_path / "bomb.pt")
    rewrite(run, WEIGHTS, (tmp_path / "bomb.pt").read_bytes())
    sentence(run)
    assert not (tmp_path / "boom").exists()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("after", [False, True])
def test_a_process_killed_while_it_saves_leaves_a_folder_that_loads(
    tmp_path, run, tokenizer, monkeypatch, after
) -> None:
    old, new = (built("hred", tokenizer, seed) for seed in (1, 2))
    write = run_folder.write_atomically
    for last in range(10):
        folder, calls = tmp_path / f"{last}", iter(range(99))
        shutil.copytree(run, folder)

        def dying(path, data, calls=calls, last=last):
            if next(calls) < last:
                return write(path, data)
            if after:
                path.with_name(f".{path.name}.1.new").write_bytes(data[: len(data) // 2])
            raise Killed

        monkeypatch.setattr(run_folder, "write_atomically", dying)
        try:
            save_run(folder, new, tokenizer, {}, "")
        except Killed:
            pass
        else:
            break
        found = load_run(folder).model.state_dict()
        assert any(all(torch.equal(m.state_dict()[n], v) for n, v in found.items()) for m in (old, new))
        monkeypatch.setattr(run_folder, "write_atomically", write)
        save_run(folder, new, tokenizer, {}, "")  # what was cut off is done again
        assert all(
            torch.equal(new.state_dict()[n], v) for n, v in load_run(folder).model.state_dict().items()
        )
    assert last == 6  # the manifest, three files, the card, the manifest


def test_saving_twice_over_a_cut_off_save_keeps_every_state_loadable(
    tmp_path, run, tokenizer, monkeypatch
) -> None:
    """Two saves that die in a row: the folder may hold the files of three."""
    write = run_folder.write_atomically
    for first in range(1, 6):
        for second in range(1, 6):
            folder = tmp_path / f"{first}-{second}"
            shutil.copytree(run, folder)
            for seed, last in ((2, first), (3, second)):
                calls = iter(range(99))

                def dying(path, data, calls=calls, last=last):
                    if next(calls) >= last:
                        raise Killed
                    write(path, data)

                monkeypatch.setattr(run_folder, "write_atomically", dying)
                with pytest.raises(Killed):
                    save_run(folder, built("hred", tokenizer, seed), tokenizer, {}, "")
            load_run(folder)


def test_a_full_disk_leaves_the_old_run(run, tokenizer, monkeypatch) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_folder.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_run(run, built("hred", tokenizer, 2), tokenizer, {}, "")
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
