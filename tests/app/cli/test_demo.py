"""`hred demo`: stopped in the middle, given again, and at its end a page whose three models answer."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.demo import _MODELS, _SETTINGS, _schedule
from app.shipped import shipped_conversations
from dialog.errors import LogError
from dialog.models.config import parse_assignments
from dialog.models.registry import model_class
from dialog.training.config import training_config_class

ROOT = Path(__file__).resolve().parents[3]
SMALL = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs tests in the background has it ignored
import app.cli.demo as demo
demo._SETTINGS = ("embedding_size=8", "hidden_size=16", "batch_tokens=256", "sample_replies=0", "measure_replies=0",
                  "patience=0", "validate_conversations=4")
demo._HIERARCHY = ("context_size=16",)
demo._MODELS = {
    "seq2seq": demo._Model(0.4, ()),
    "hred": demo._Model(0.3, demo._HIERARCHY, "seq2seq"),
    "vhred": demo._Model(0.3, (*demo._HIERARCHY, "latent_size=4", "latent_hidden_size=8"), "hred"),
}
from app.cli.main import main
main()
"""
"""The command as it is, with models of a few numbers."""


class Demo:
    """A process of the command."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-u", "-c", SMALL, "demo", "--minutes", "0.01", "--port", "0"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.seen: list[str] = []

    def until(self, pattern: str) -> re.Match[str]:
        """Reads on until a line has the pattern."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.seen.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"{pattern!r} did not come:\n{''.join(self.seen)}")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=300)
        self.seen.append(rest)
        return self.process.returncode


@pytest.fixture
def start(tmp_path) -> Iterator[object]:
    running: list[Demo] = []

    def started() -> Demo:
        running.append(Demo(tmp_path))
        return running[-1]

    yield started
    for each in running:
        each.process.kill()
        each.process.communicate()


def answer(url: str, model: str) -> str:
    body = json.dumps({"model": model, "turns": [{"speaker": "you", "text": "hello"}], "seed": 1}).encode()
    request = urllib.request.Request(f"{url}/api/reply", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as response:
        return str(json.load(response)["replies"])


def test_stopped_and_given_again_it_ends_with_a_page_that_answers(start, tmp_path) -> None:
    first = start()
    first.until("^run folder: hred-demo/en/seq2seq")
    assert first.stop() == 130
    assert "Traceback" not in "".join(first.seen)
    second = start()
    url = second.until(r"(http://127\.0\.0\.1:\d+)")[1]
    said = "".join(second.seen)
    assert "hred prepare" in "".join(first.seen) and "hred prepare" not in said
    assert "hred-demo/en/seq2seq is trained already" in said
    assert (
        "hred train hred-demo/en/corpus --out hred-demo/en/vhred --model vhred --init-from hred-demo/en/hred"
        in said
    )
    with urllib.request.urlopen(url, timeout=300) as page:
        assert page.status == 200
    for model in ("seq2seq", "hred", "vhred"):
        assert answer(url, model)
        assert (tmp_path / "hred-demo/en" / model / "model_card.md").is_file()
    second.stop()
    assert "Traceback" not in "".join(second.seen)


def test_the_settings_are_ones_that_each_model_has() -> None:
    for name, model in _MODELS.items():
        cls = model_class(name)
        assignments = [*_SETTINGS, *model.settings, *_schedule(name, 60)]
        sizes, training = parse_assignments(
            assignments, cls.config_class, training_config_class(cls.is_latent)
        )
        assert cls.config_class.from_json(sizes) and training_config_class(cls.is_latent).from_json(training)
    assert sum(model.share for model in _MODELS.values()) == pytest.approx(1.0)


def test_a_taken_port_is_said_before_anything_is_trained(tmp_path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "dialog", "demo", "--port", str(taken.getsockname()[1])]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
    assert (done.returncode, done.stdout) == (2, "")
    assert "give another one, or --port 0" in done.stderr and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_conversations_of_both_languages_come_with_it() -> None:
    assert all(list(shipped_conversations(language).glob("*.txt")) for language in ("en", "ja"))
    with pytest.raises(LogError, match="no conversations in 'fr'"):
        shipped_conversations("fr")
