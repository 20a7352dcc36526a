"""The datasheet of a corpus that was taken in: plain JSON values, and the same as text."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dialog.corpus.catalogue import PublishedCorpus
from dialog.corpus.published.material import Tally

__all__ = ["DATASHEET", "Taken", "datasheet", "datasheet_json", "hash_sentence"]

DATASHEET = "datasheet.md"


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was read.

    Attributes:
        name: its name.
        num_bytes: its size.
        sha256: its own hash.
        known: the hash under which it is known; None where none is.
        origin: path or address that it came from.
    """

    name: str
    num_bytes: int
    sha256: str
    known: str | None
    origin: str


def datasheet_json(
    corpus: PublishedCorpus,
    taken: Sequence[Taken],
    counts: Mapping[str, Mapping[str, int]],
    tally: Tally,
    left_out: Sequence[str],
) -> dict[str, Any]:
    """Returns all that the datasheet says; turns found = written + lost.

    Args:
        corpus: what it is.
        taken: the files that it was made of.
        counts: conversations and turns written, by file.
        tally: what the reader counted.
        left_out: of an archive.
    """
    return {
        "corpus": {name: value for name, value in corpus.to_json().items() if name != "sha256"},
        "files": [asdict(each) for each in taken],
        "splits": {name: dict(sizes) for name, sizes in counts.items()},
        "turns": {
            "found": tally.found,
            "written": sum(sizes["turns"] for sizes in counts.values()),
            "lost": dict(tally.lost),
        },
        "notes": dict(tally.notes),
        "examples": tally.examples,
        "left_out_of_archive": list(left_out),
    }


def hash_sentence(file: Mapping[str, Any]) -> str:
    """Says of a file's SHA-256 whether it is the known one."""
    if file["known"] is None:
        return f"SHA-256 not known, yours is {file['sha256']}"
    if file["known"] == file["sha256"]:
        return f"SHA-256 {file['sha256']}, as known"
    return f"SHA-256 {file['sha256']}; known is {file['known']}, so this is another version"


def datasheet(sheet: Mapping[str, Any], name: str) -> str:
    """Returns the content of `datasheet.md`.

    Args:
        sheet: see `datasheet_json`.
        name: of the folder.
    """
    corpus, turns = sheet["corpus"], sheet["turns"]
    lines = [
        f"# {corpus['title']}",
        "",
        f"- Language: {corpus['language']}",
        f"- Size as published: {corpus['size']}",
        f"- Licence: {corpus['licence']}; {corpus['obligations']}",
        f"- Paper: {corpus['paper']}",
        f"- Lives at: {corpus['home']}",
    ]
    if corpus["remarks"]:
        lines.append(f"- To know: {corpus['remarks']}")
    lines += ["", "## What it was made of", ""]
    lines += [
        f"- `{file['name']}`, {file['num_bytes']:,} bytes, from {file['origin']}: {hash_sentence(file)}"
        for file in sheet["files"]
    ]
    lines += ["", "## What is here", "", "| file | conversations | turns |", "|---|---|---|"]
    lines += [
        f"| `{split}.jsonl.gz` | {sizes['conversations']:,} | {sizes['turns']:,} |"
        for split, sizes in sheet["splits"].items()
    ]
    lost = sum(turns["lost"].values())
    lines += ["", f"Turns found {turns['found']:,} = written {turns['written']:,} + lost {lost:,}.", ""]
    for title, counted in (("lost", turns["lost"]), ("met", sheet["notes"])):
        for what, number in counted.items():
            where = "; ".join(sheet["examples"].get(what, []))
            lines.append(f"- {title}: {number:,} × {what} ({where})")
    for each in sheet["left_out_of_archive"]:
        lines.append(f"- left out of the archive, no plain file: {each}")
    lines += ["", f"Texts are as published. `hred prepare {name} --out …` cleans and tokenises them.", ""]
    return "\n".join(lines)
