"""The frame of `hred`: help at once, every failure one sentence and its exit status, never a traceback."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from app.cli.main import COMMANDS
from dialog import __version__

ROOT = Path(__file__).resolve().parents[3]


def hred(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dialog", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, **options)


def with_command(body: str) -> list[str]:
    """Returns the command line of an `hred` that has one more subcommand, `try`, with this body."""
    code = f"""
        import os, sys
        from app.cli.main import app, main
        from dialog.errors import *
        @app.command("try")
        def try_() -> None:
            {body}
        sys.argv = ["hred", "try"]
        main()
    """
    return [sys.executable, "-c", textwrap.dedent(code)]


def processor_seconds() -> float:
    """Returns what the processes that this one has started and awaited have taken so far."""
    used = os.times()
    return used.children_user + used.children_system


def attempt(body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(with_command(body), cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        ("CorpusError('no corpus; make one')", 1, "no corpus; make one"),
        ("RunFolderError('no run; train one')", 1, "no run; train one"),
        ("UsageError('both; choose one')", 2, "both; choose one"),
        (
            "OSError(28, 'No space left on device', 'out/model')",
            1,
            "out/model: No space left on device; free some space",
        ),
        ("PermissionError(13, 'Permission denied', 'out')", 1, "out: Permission denied; see to that"),
        ("OSError('something about a disk')", 1, "something about a disk"),
    ],
)
def test_an_error_is_one_sentence_and_a_status(error, status, sentence) -> None:
    done = attempt(f"raise {error}")
    assert done.returncode == status
    assert done.stdout == ""
    assert done.stderr.strip().startswith(f"hred: {sentence}")
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_fault_of_ours_still_shows_where_it_is() -> None:
    """Only errors that are expected become a sentence: a bug must be reportable."""
    done = attempt("raise ZeroDivisionError('ours')")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_ctrl_c_ends_with_130_and_no_traceback() -> None:
    body = "print('ready', flush=True); import time; time.sleep(60)"
    process = subprocess.Popen(
        with_command(body), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 130
    assert stderr.strip() in ("", "hred: interrupted")


@pytest.mark.parametrize("body", ["for n in range(100000): print(n)", "print('few words')"])
def test_a_reader_that_goes_away_is_no_error(body) -> None:
    """As in `hred reply … | head -1`, whether the pipe breaks at a print or at the last flush."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            with_command(body), cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=300
        )
    finally:
        os.close(writing)
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_output_to_a_full_disk_is_a_sentence() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            with_command("print('few words')"),
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("hred: No space left on device")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name) -> None:
    done = hred(name, "--help")
    assert done.returncode == 0
    assert f"hred {name}" in done.stdout or f"dialog {name}" in done.stdout
    assert done.stderr == ""


def test_help_names_every_command_and_is_quick() -> None:
    """0.5 s is wanted; the figure here is generous, and of processor time, for tests run beside other work."""
    times = []
    for _ in range(3):
        before = processor_seconds()
        done = hred("--help")
        times.append(processor_seconds() - before)
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)
    assert min(times) < 2


def test_version_and_wrong_usage() -> None:
    assert hred("--version").stdout == f"hred {__version__}\n"
    wrong = hred("no-such-command")
    assert wrong.returncode == 2
    assert "no-such-command" in wrong.stderr
    assert "Traceback" not in wrong.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("reply", "no-such-run", "--context", "hi"),
        ("train", "no-such-corpus", "--out", "no-such-folder/run"),
        ("prepare", "no-such-log", "--out", "no-such-folder/corpus"),
        ("serve", "no-such-run"),
    ],
)
def test_what_is_not_there_is_named(arguments) -> None:
    done = hred(*arguments)
    assert done.returncode in (1, 2)
    assert "no-such" in done.stderr
    assert "Traceback" not in done.stderr
