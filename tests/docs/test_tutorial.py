"""The tutorial holds: its commands run, the code it quotes is the project's, both languages say the same."""

import contextlib
import io
import runpy
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from tests.docs.tutorial_pages import LANGUAGES, ROOT, TUTORIAL, blocks, commands, images, links, pages

REDUCED = {"--max-updates": "2", "--updates": "2", "-n": "8", "--side": "3"}
"""Options whose numbers only say how long something goes on."""
EVERY_PAGE = [page for language in LANGUAGES for page in pages(language)]


def name_of(page: Path) -> str:
    return f"{page.parent.name}/{page.stem}"


def test_both_languages_have_the_same_pages_and_the_index_names_them_all() -> None:
    names = {language: [page.name for page in pages(language)] for language in LANGUAGES}
    assert names["en"] == names["ja"]
    assert len(names["en"]) == 9
    for language in LANGUAGES:
        assert set(names[language]) - {"README.md"} <= set(links(pages(language)[0]))


@pytest.mark.parametrize("number", range(9))
def test_both_languages_show_the_same_commands_code_and_pictures(number) -> None:
    english, japanese = (pages(language)[number] for language in LANGUAGES)
    assert blocks(english) == blocks(japanese)
    assert images(english) == images(japanese)


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_the_code_that_is_quoted_stands_in_the_file_that_is_named(page) -> None:
    """`...` stands for lines that are left out."""
    quoted = [block for block in blocks(page) if block.kind == "python"]
    assert quoted or page.name == "README.md"
    for block in quoted:
        assert block.source is not None, block.text
        source = (ROOT / block.source).read_text(encoding="utf-8")
        for part in block.text.split("...\n"):
            assert part.rstrip() in source, f"{block.source} has no longer:\n{part}"


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_what_is_linked_is_there_and_a_command_drew_each_picture(page) -> None:
    for link in links(page):
        assert (page.parent / link).exists(), link
    drawn = {Path(words[words.index("--out") + 1]).name for words in commands(page) if "draw" in words}
    shown = {Path(image).name for image in images(page)}
    assert shown == drawn
    assert shown or page.name == "README.md"


def test_every_picture_is_shown_and_small() -> None:
    shown = {Path(image).name for page in pages("en") for image in images(page)}
    kept = list((TUTORIAL / "images").iterdir())
    assert {picture.name for picture in kept} == shown
    assert all(picture.stat().st_size < 150_000 for picture in kept)


def test_every_command_runs(tmp_path, monkeypatch) -> None:
    """All pages in their order, in one folder, as a reader does it; only shorter."""
    for name in ("data", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dialog.training.estimate._TIMED_UPDATES", 2)  # what is said before a training begins
    monkeypatch.setattr("dialog.training.curves.draw_curves", lambda *_: None)  # no page shows these
    for page in pages("en"):
        for words in commands(page):
            run(shortened(words))


def shortened(words: list[str]) -> list[str]:
    before = ["", *words]
    return [REDUCED.get(option, word) for option, word in zip(before, words, strict=False)]


def run(words: list[str]) -> None:
    program, *arguments = words
    if program == "mkdir":
        Path(arguments[0]).mkdir()
    elif program == "python":
        script, arrow, place = arguments
        assert arrow == ">"
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            runpy.run_path(script)
        Path(place).write_text(printed.getvalue(), encoding="utf-8")
    else:
        assert program == "hred", words
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == 0, f"{' '.join(words)}\n{done.output}"
        if "--out" in arguments and "--dry-run" not in arguments:
            assert Path(arguments[arguments.index("--out") + 1]).exists()
