"""The transcript of a first minute: every line of the chat stands in it, and the same command prints the same bytes."""

import sys
from pathlib import Path

import pytest

from tests.app.cli.tiny_runs import make_runs

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import first_minute


@pytest.mark.parametrize("language", first_minute.CHATS)
def test_the_transcript_is_whole_and_the_same_again(language, tmp_path, monkeypatch, capsys) -> None:
    runs = make_runs(tmp_path, ["seq2seq", "hred"])
    monkeypatch.chdir(runs)
    monkeypatch.setattr(
        sys, "argv", ["first_minute.py", "seq2seq", "hred", "--language", language, "--seed", "3"]
    )
    printed = []
    for _ in range(2):
        first_minute.main()
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    lines = printed[0].splitlines()
    for text in first_minute.CHATS[language]:
        assert lines.count(f"- **you** {first_minute.cell(text)}") == 2
    assert sum(line.startswith("- *bot* ") for line in lines) == 2 * len(first_minute.CHATS[language])
    assert sum(line.startswith("    - or: ") for line in lines) == 2 * (first_minute.NUM_TIMES - 1)
    assert "python benchmarks/first_minute.py seq2seq hred --language " + language in printed[0]


def test_what_a_model_says_is_text_and_no_markup() -> None:
    assert first_minute.cell("<b>*x*</b>\n[a](b)") == r"\<b\>\*x\*\</b\> \[a\](b)"
    assert first_minute.cell("") == "(nothing)"
