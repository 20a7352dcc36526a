"""Tables that are committed are those that their sums give: `make results` prints them again."""

import re
from pathlib import Path

import pytest

from dialog.evaluation.comparison.document import to_markdown
from dialog.evaluation.comparison.report import report_blocks
from dialog.evaluation.comparison.results import Results
from dialog.evaluation.comparison.statistics import load_statistics

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "results"
SUMS = sorted(FOLDER.glob("*.statistics.json.gz"))
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?![\w.])")


def numbers(text: str) -> list[float]:
    return [float(found.replace(",", "")) for found in _NUMBER.findall(text)]


def test_there_are_results_and_each_has_its_tables() -> None:
    assert SUMS
    for path in SUMS:
        assert path.with_name(path.name.replace(".statistics.json.gz", ".tables.md")).exists()


@pytest.mark.parametrize("path", SUMS, ids=lambda path: path.name)
def test_tables_are_what_the_sums_give(path) -> None:
    kept = path.with_name(path.name.replace(".statistics.json.gz", ".tables.md")).read_text()
    again = to_markdown(report_blocks(Results(load_statistics(path))))
    assert _NUMBER.sub("#", again).replace("**", "") == _NUMBER.sub("#", kept).replace("**", "")
    # Another processor may round a last digit the other way.
    assert numbers(again) == pytest.approx(numbers(kept), rel=2e-3, abs=2e-4)
