"""A small prepared corpus, made by the command as users make theirs."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from app.cli.evaluate import evaluate
from app.cli.prepare import prepare
from app.cli.train import train

Run = Callable[..., Result]

application = Typer(pretty_exceptions_enable=False)
for command in (prepare, train, evaluate):
    application.command()(command)


@pytest.fixture(scope="module", autouse=True)
def plain_trainings() -> Iterator[None]:
    """A picture of a training and the estimate before it take longer than a tiny training itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dialog.training.curves.draw_curves", lambda *_: None)
        patch.setattr("dialog.training.estimate._TIMED_UPDATES", 2)
        yield


@pytest.fixture(scope="session")
def hred() -> Run:
    """Runs the command; its own errors come out as they are, for `main` prints them."""

    def run(*arguments: object) -> Result:
        result = CliRunner().invoke(application, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture(scope="session")
def make_corpus(hred, tmp_path_factory) -> Callable[[int], Path]:
    def make(seed: int) -> Path:
        folder, draw = tmp_path_factory.mktemp("corpus"), random.Random(seed)
        lines = []
        for _ in range(60):
            name = "".join(draw.choice("bdfgklmnprst") + draw.choice("aeiou") for _ in range(3))
            lines += ["hello, who are you?", f"I am {name}.", f"is {name} well?", f"{name} is well, and you?"]
            lines += ["me too."] * draw.randint(0, 2) + [""]
        (folder / "log.txt").write_text("\n".join(lines))
        done = hred(
            "prepare",
            folder / "log.txt",
            "--out",
            folder / "corpus",
            "--vocabulary-size",
            300,
            "--valid-share",
            0.2,
            "--test-share",
            0.1,
            "--workers",
            1,
            "--names",
            "no",
        )
        assert done.exit_code == 0, done.output
        return folder / "corpus"

    return make


@pytest.fixture(scope="session")
def corpus(make_corpus) -> Path:
    return make_corpus(1)
