"""Statistics come back as they were written, and what they say is worked out by hand."""

import gzip
import json
import math

import pytest

from dialog.errors import UsageError
from dialog.evaluation.comparison.document import to_html, to_markdown
from dialog.evaluation.comparison.plan import Plan
from dialog.evaluation.comparison.report import report_blocks
from dialog.evaluation.comparison.results import Results
from dialog.evaluation.comparison.statistics import Row, Statistics, load_statistics, save_statistics
from dialog.evaluation.sums import Sums

IDS = ("a", "b", "c", "d")
COUNTS = {
    "replies": [1, 2, 1, 1],
    "characters": [10, 20, 10, 10],
    **{f"words_{rule}": [2, 4, 2, 2] for rule in ("words", "zoo", "treebank", "whitespace")},
    **{f"characters_turn_{turn}": [0, 0, 0, 0] for turn in range(1, 11)},
}
LEAKS = {
    "leaked": [0, 1, 0, 0],
    "leaked_turns": [0, 1, 0, 0],
    "pairs": [1, 2, 1, 1],
    "leaked_pairs": [0, 2, 0, 0],
}


def run_row(name, nats, tokens=(4, 8, 4, 4)) -> Row:
    return Row(name, "run", {"": Sums.of(IDS, {"nats": nats, "tokens": tokens})}, run=name)


def variety_row(name, run, values, clean) -> Row:
    columns = {"conversations": [1, 1, 1, 1], "distinct_1": values, "length": [1, 1, 1, 1]}
    again = Sums.of(("a", "c", "d"), {"distinct_1": clean})
    return Row(
        name,
        "replies",
        {"words": Sums.of(IDS, columns)},
        {"words": again},
        run,
        "greedy",
        {"replies_hash": "h"},
    )


def statistics(rows, leaks=LEAKS, same=True) -> Statistics:
    facts = {
        "model": "hred",
        "parameters": 5,
        "settings": {},
        "tokens_known": 9,
        "seed": 1,
        "update": 2,
        "weights_sha256": "w" * 64,
        "tokenizer_sha256": "t" * 64,
    }
    about = {
        "data": {
            "corpus": "talk",
            "corpus_hash": "c",
            "text_hash": "t",
            "split": "test",
            "conversations": 4,
            "replies": 5,
            "limited": False,
        },
        "settings": Plan((), ("words",), num_draws=50).to_json(),
        "same_tokenizer": same,
        "runs": {row.name: facts for row in rows if row.kind == "run"},
        "signatures": {"BLEU": "b"},
        "vectors": "none",
        "versions": {"dialog": "0"},
        "notes": [],
    }
    return Statistics(about, Sums.of(IDS, COUNTS), Sums.of(IDS, leaks), rows)


def test_figures_of_all_and_of_the_clean_part() -> None:
    results = Results(statistics([run_row("one", [4, 40, 4, 4]), run_row("two", [8, 8, 8, 8])]))
    values = {
        (part.part, name): figures["nats_per_token"].value
        for part in results.parts
        if part.table.key == "likelihood"
        for name, figures in part.rows.items()
    }
    assert values == {
        ("all", "one"): pytest.approx(52 / 20),
        ("all", "two"): pytest.approx(32 / 20),
        ("clean", "one"): pytest.approx(1),
        ("clean", "two"): pytest.approx(2),
    }
    clean = results.part("likelihood", "clean")
    (pair,) = clean.differences["nats_per_token"]
    assert (pair.one, pair.other, pair.value) == ("one", "two", pytest.approx(-1))
    assert pair.stands  # in each draw of equal conversations it is the same
    by_words = results.part("word_perplexity", "clean")
    assert by_words.rows["one"]["perplexity_word_zoo_markers"].value == pytest.approx(math.exp(12 / (6 + 9)))


def test_what_is_no_sum_is_taken_anew_for_the_clean_part() -> None:
    rows = [variety_row("one, greedy", "one", [0.5, 0.5, 0.5, 0.5], [0.7, 0.7, 0.7])]
    results = Results(statistics(rows))
    found = [
        results.part("variety", part).rows["one, greedy"]["distinct_1"].value for part in ("all", "clean")
    ]
    assert found == pytest.approx([0.5, 0.7])


def test_a_runs_figures_do_not_depend_on_those_beside_it() -> None:
    one, two = run_row("one", [4, 40, 4, 9]), run_row("two", [8, 8, 8, 8])
    alone, beside = (Results(statistics(rows)).part("likelihood").rows["one"] for rows in ([one], [two, one]))
    assert alone == beside


def test_tokens_are_left_out_where_they_do_not_compare() -> None:
    rows = [run_row("one", [4, 4, 4, 4]), run_row("two", [8, 8, 8, 8], (2, 2, 2, 2))]
    part = Results(statistics(rows, same=False)).part("likelihood")
    assert "nats_per_token" not in part.shown() and "nats_per_character" in part.shown()
    assert "different tokenizers" in part.table.text


def test_no_clean_part_where_nothing_leaks_or_all_does() -> None:
    for value in (0, 1):
        leaks = {**LEAKS, "leaked": [value] * 4}
        results = Results(statistics([run_row("one", [4, 4, 4, 4])], leaks))
        assert {part.part for part in results.parts} == {"all"}
        assert ("no clean part" in to_markdown(report_blocks(results))) == (value == 1)


def test_a_figure_that_is_no_number_is_told(tmp_path) -> None:
    results = Results(statistics([run_row("one", [4, math.nan, 4, 4]), run_row("two", [8, 8, 8, 8])]))
    text = to_markdown(report_blocks(results))
    assert "| one | not defined | not defined" in text and "Not defined: one." in text
    scores = results.to_json()
    json.dumps(scores, allow_nan=False)
    (table,) = [t for t in scores["tables"] if (t["table"], t["part"]) == ("likelihood", "all")]
    assert table["rows"]["one"]["nats_per_token"] == {"value": None, "low": None, "high": None}


def test_statistics_come_back_and_say_the_same(tmp_path) -> None:
    rows = [
        run_row("one", [4.123456789, math.nan, 4, 4]),
        variety_row("one, greedy", "one", [0.51, 0.5, 0.5, 0.5], [0.7, 0.7, 0.71]),
    ]
    save_statistics(tmp_path / "s.json.gz", statistics(rows))
    first = (tmp_path / "s.json.gz").read_bytes()
    back = load_statistics(tmp_path / "s.json.gz")
    assert back.rows[0].sums[""].column("nats")[0] == 4.12346
    save_statistics(tmp_path / "s.json.gz", back)
    assert (tmp_path / "s.json.gz").read_bytes() == first
    again = load_statistics(tmp_path / "s.json.gz")
    assert Results(again).to_json() == Results(back).to_json()
    assert to_html("t", report_blocks(Results(again))) == to_html("t", report_blocks(Results(back)))


@pytest.mark.parametrize(
    "data",
    [b"", b"no gzip", gzip.compress(b"{}"), gzip.compress(b'{"format": "hred-comparison", "version": 9}')],
    ids=["empty", "no gzip", "no format", "another version"],
)
def test_what_holds_no_statistics_is_told(data, tmp_path) -> None:
    (tmp_path / "s.json.gz").write_bytes(data)
    with pytest.raises(UsageError, match=r"holds no statistics of a comparison"):
        load_statistics(tmp_path / "s.json.gz")
    with pytest.raises(UsageError, match="cannot be read"):
        load_statistics(tmp_path / "nothing")


def test_a_page_needs_nothing_and_shows_text_as_text() -> None:
    rows = [run_row("<b>one</b>", [4, 4, 4, 5])]
    page = to_html("a < b", report_blocks(Results(statistics(rows))))
    assert "<b>one" not in page and "&lt;b&gt;one" in page and "<title>a &lt; b</title>" in page
    for word in ("src=", 'href="http', "@import", "url(http", "<script", "<link"):
        assert word not in page
