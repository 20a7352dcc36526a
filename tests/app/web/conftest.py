"""Three real, tiny, untrained models in run folders, and a real server process that shows them."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, sync_playwright

from dialog.models.registry import build_model
from dialog.models.seq2seq import Seq2Seq
from dialog.run_folder import save_run
from dialog.text.batches import EOS
from dialog.text.tokenizer import Tokenizer, train_tokenizer
from tests.browser import LAUNCH_ARGS, chromium_path

# seq2seq is large and never ends a reply by itself, so that a long one takes seconds and can be stopped.
SIZES = {"seq2seq": {"hidden_size": 2500}, "hred": {"hidden_size": 16}, "vhred": {"hidden_size": 16}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium; it ends with the module, for Playwright runs once at a time in a process."""
    path = chromium_path()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=LAUNCH_ARGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def run_folders(tmp_path_factory) -> list[Path]:
    texts = [f"hello number {n}, how are you this {w} day?" for n in range(50) for w in ("fine", "grey")]
    tokenizer = Tokenizer.from_bytes(train_tokenizer(texts, 320))
    folders = []
    for name, sizes in SIZES.items():
        torch.manual_seed(1)
        settings = {"vocab_size": tokenizer.num_tokens, "embedding_size": 16, **sizes}
        folder = tmp_path_factory.mktemp("runs") / name
        model = build_model(name, settings)
        if name == "seq2seq":
            _never_ending(model)
        save_run(folder, model, tokenizer, {}, f"# {name}\n")
        folders.append(folder)
    return folders


def _never_ending(model: Seq2Seq) -> None:
    """Makes the end token improbable: the first feature is always 1, and it alone weighs against that token."""
    with torch.no_grad():
        model.decoder.combine.bias[0] = 20.0
        model.table.weight[:, 0] = 0.0
        model.table.weight[EOS, 0] = -20.0


class Server:
    """A server process with a store of its own; can be stopped and started again."""

    def __init__(self, folders: list[Path], data_folder: Path) -> None:
        self._folders, self._data_folder = folders, data_folder
        self._port = 0
        self.url = ""
        self.start()

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "dialog",
            "serve",
            *map(str, self._folders),
            "--port",
            str(self._port),
        ]
        environment = {**os.environ, "HRED_DATA_FOLDER": str(self._data_folder), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.match(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, f"the server printed {line!r} and exited with {self._process.poll()}"
        self._port, self.url = int(found[1]), found[0]

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(120)
        finally:
            self._process.kill()
            self._process.stdout.close()


@pytest.fixture(scope="module")
def server(run_folders, tmp_path_factory) -> Iterator[Server]:
    running = Server(run_folders, tmp_path_factory.mktemp("data"))
    yield running
    running.stop()
