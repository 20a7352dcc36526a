"""`hred stats` as users give it: tables, JSON, and a page that asks nobody for anything and escapes what it shows."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from typer.testing import CliRunner

from app.cli.main import app
from dialog.errors import LogError, UsageError
from tests.browser import LAUNCH_ARGS, chromium_path

HOSTILE = '<script>alert("1")</script>&amp;'
LOG = f"""hello there
hi, who is it?
{HOSTILE}

hello there
hi, who is it?

今日は寒いですね。
本当に寒いです。
"""


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["stats", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("stats") / "log.txt"
    path.write_text(LOG, encoding="utf-8")
    return path


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [
            value or "" for name, value in attributes if name in ("src", "href", "xlink:href", "action")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_tables_tell_sizes_languages_and_replies(log) -> None:
    shown = run(log)
    for title in (
        "Sizes",
        "Lengths",
        "Words",
        "Said again within a split",
        "In two splits",
        "Languages",
        "Most frequent",
    ):
        assert title in shown
    assert "  hi, who is it?\t2\t50.00%" in shown
    assert "  Japanese\t2\t28.6%" in shown


def test_json_is_the_figures(log) -> None:
    figures = json.loads(run(log, "--json", "--top", 1))
    assert sum(each["conversations"] for each in figures["splits"].values()) == 3
    assert figures["frequent_replies"] == [{"text": "hi, who is it?", "times": 2, "share": 0.5}]
    assert figures["logs"]["bad"] == 0


def test_the_page_is_whole_in_itself_and_shows_texts_as_texts(log, tmp_path) -> None:
    page = tmp_path / "stats.html"
    assert f"The page is in {page}." in run(log, "--html", page)
    source = page.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(source)
    assert "script" not in reader.tags
    assert {"svg", "table", "h1"} <= reader.tags
    assert HOSTILE in reader.text  # as text
    assert all(link.startswith("#") for link in reader.links)
    assert "default-src 'none'" in source
    assert not re.search(r"url\((?!#)|@import|<!DOCTYPE svg", source)
    again = tmp_path / "again.html"
    run(log, "--html", again)
    assert again.read_bytes() == page.read_bytes()


def test_a_browser_shows_the_page_without_a_complaint(log, tmp_path) -> None:
    page = tmp_path / "stats.html"
    run(log, "--html", page)
    said: list[str] = []
    asked: list[str] = []
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=LAUNCH_ARGS)
        tab = browser.new_page()
        tab.on("console", lambda message: said.append(message.text))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(page.as_uri())
        assert tab.locator("svg").count() == 2
        assert tab.locator("td", has_text=HOSTILE).count() >= 1
        browser.close()
    assert (said, asked) == ([], [page.as_uri()])


def test_a_prepared_corpus_has_tokens(log, tmp_path) -> None:
    corpus = tmp_path / "corpus"
    made = CliRunner().invoke(
        app,
        [
            "prepare",
            str(log),
            "--out",
            str(corpus),
            "--vocabulary-size",
            "300",
            "--names",
            "no",
            "--workers",
            "1",
        ],
    )
    assert made.exit_code == 0, made.output
    figures = json.loads(run(corpus, "--json"))
    assert figures["tokenizer_tokens"] > 261
    assert sum(each["tokens"] or 0 for each in figures["splits"].values()) > 0
    with pytest.raises(UsageError, match="--mask is for logs"):
        run(corpus, "--mask")


def test_what_cannot_be_is_said_in_a_sentence(log, tmp_path) -> None:
    with pytest.raises(UsageError, match="no place for a page"):
        run(log, "--html", tmp_path / "no" / "page.html")
    with pytest.raises(LogError, match="does not exist"):
        run(tmp_path / "none.txt")
    (tmp_path / "one.txt").write_text("only this\n")
    with pytest.raises(LogError, match="no conversation of two turns"):
        run(tmp_path / "one.txt")


def test_what_is_private_can_be_masked_in_logs(tmp_path) -> None:
    private, page = tmp_path / "private.txt", tmp_path / "page.html"
    private.write_text("how do I reach you?\nwrite to ann@mail.example\n")
    assert "  write to ann@mail.example\t1" in run(private)
    assert "  write to <mail>\t1" in run(private, "--mask", "--html", page)
    assert "ann" not in page.read_text(encoding="utf-8")
