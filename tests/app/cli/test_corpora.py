"""`hred corpora` as users give it."""

import json
import subprocess
import sys
import zipfile

from typer.testing import CliRunner

from app.cli.main import app
from dialog.corpus.catalogue import CATALOGUE
from tests.dialog.corpus.published_pieces import PIECES


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_list_tells_name_language_size_licence_paper_and_place() -> None:
    shown = run("corpora", "list")
    for entry in CATALOGUE.values():
        for fact in (entry.name, entry.language, entry.size, entry.licence, entry.paper, entry.home):
            assert fact in shown
    assert [each["name"] for each in json.loads(run("corpora", "list", "--json"))] == list(CATALOGUE)


def test_get_shows_licence_hash_counts_and_what_is_next(tmp_path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name, content in PIECES["cornell"].files.items():
            packed.writestr(name, content)
    shown = run("corpora", "get", "cornell", "--from", archive, "--out", tmp_path / "cornell")
    assert "Licence: none stated" in shown
    assert "SHA-256 not known, yours is " in shown
    assert "conversations: 2 conversations, 3 turns" in shown
    assert "turns found 5 = written 3 + lost 2" in shown
    assert "2 × lines that a conversation names and that are missing, such as L3" in shown
    assert f"Next: hred prepare {tmp_path / 'cornell'}" in shown
    again = run("corpora", "get", "cornell", "--from", archive, "--out", tmp_path / "b", "--json")
    assert json.loads(again)["turns"]["written"] == 3


def test_a_wrong_name_is_one_sentence_and_status_2() -> None:
    command = [sys.executable, "-m", "dialog", "corpora", "get", "reddit"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("hred: there is no corpus 'reddit' in the list; it has dailydialog")
    assert len(done.stderr.splitlines()) == 1
