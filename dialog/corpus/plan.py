"""What a run of `hred prepare` is going to do, as plain values: equal plans give equal bytes.

It is kept beside the segments: a run goes on only where its plan is the one that was begun, and parts are merged
only where they are of the same plan.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dialog.corpus.formats import FormatOptions
from dialog.corpus.segments import Group, groups_of
from dialog.corpus.settings import Settings
from dialog.corpus.sources import Sources
from dialog.corpus.splits import Shares, SplitRule
from dialog.corpus.tokenized import SPLITS
from dialog.errors import CorpusError

__all__ = ["PLAN_FILE", "Plan", "make_plan", "read_plan"]

PLAN_FILE = "plan.json"
_FORMAT = "hred-corpus-part"
_VERSION = 1


@dataclass(frozen=True)
class Plan:
    """What the corpus depends on.

    Attributes:
        settings: those that its bytes depend on.
        split_by: `files`, `names` or `hash`.
        left_out: files of folders that are not read, each with the reason.
        files: path, format, what was found out about its layout, split and bytes of each file.
        num_groups: see `segments.Group`.
        tokenizer: SHA-256 of the tokenizer that was given, None where one is trained.
        shard: part I of N; (1, 1) is all.
        versions: what tells that a file was changed, for each file.
    """

    settings: dict[str, Any]
    split_by: str
    left_out: list[str]
    files: list[dict[str, Any]]
    num_groups: int
    tokenizer: str | None
    shard: tuple[int, int]
    versions: list[str]

    def to_json(self) -> str:
        """Returns the content of PLAN_FILE."""
        return json.dumps({"format": _FORMAT, "version": _VERSION, **asdict(self)}, indent=1)

    def same_corpus(self, other: "Plan") -> bool:
        """Whether both are of one corpus, be they different parts of it."""
        both = [{**asdict(plan), "shard": None, "versions": None} for plan in (self, other)]
        return both[0] == both[1]

    def settings_for(self, out: Path, workers: int, overwrite: bool, tokenizer: Path | None) -> Settings:
        """Returns the settings to finish the corpus with."""
        values = dict(self.settings)
        shares, options = Shares(**values.pop("shares")), FormatOptions(**values.pop("options"))
        return Settings(
            out=out,
            workers=workers,
            overwrite=overwrite,
            tokenizer_from=tokenizer,
            shares=shares,
            options=options,
            **values,
        )

    def rule_for(self, split: str | None) -> SplitRule:
        """Where conversations go whose file is given for `split`; training feeds the splits that are not given."""
        shares = Shares(**self.settings["shares"])
        if split is not None:
            given = {file["split"] for file in self.files}
            shares = Shares(
                0.0 if "valid" in given else shares.valid, 0.0 if "test" in given else shares.test
            )
        return SplitRule(split, shares, self.settings["seed"])


_KEPT = (
    "split_by reply_as vocabulary_size tokenizer_kind tokenizer_sample seed max_bad max_line_bytes "
    "segment_bytes file_bytes"
).split()


def make_plan(settings: Settings, sources: Sources) -> tuple[Plan, list[Group]]:
    """Returns the plan, and the groups of files to read."""
    groups = groups_of(sources.files, settings.segment_bytes)
    tokenizer = settings.tokenizer_from
    plan = Plan(
        settings={
            **{name: getattr(settings, name) for name in _KEPT},
            "shares": asdict(settings.shares),
            "options": asdict(settings.options),
        },
        split_by=sources.split_by,
        left_out=sources.left_out,
        files=[
            {
                "path": source.file.shown,
                "format": source.log_format.name if source.log_format else "empty",
                "details": list(getattr(source.log_format, "details", ())),
                "split": source.split,
                "bytes": source.file.num_bytes,
            }
            for source in sources.files
        ],
        num_groups=len(groups),
        tokenizer=None if tokenizer is None else hashlib.sha256(_bytes(tokenizer)).hexdigest(),
        shard=settings.shard,
        versions=[source.file.version for source in sources.files],
    )
    assert {file["split"] for file in plan.files} <= {None, *SPLITS}
    return plan, groups


def read_plan(part: Path) -> Plan:
    """Reads the plan of a part.

    Raises:
        CorpusError: the folder is no part.
    """
    try:
        values = json.loads((part / PLAN_FILE).read_text(encoding="utf-8"))
        if (values.pop("format"), values.pop("version")) != (_FORMAT, _VERSION):
            raise ValueError
        return Plan(**{**values, "shard": tuple(values["shard"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(
            f"{part} is no part of a corpus: name the folders that `hred prepare --shard I/N` wrote"
        ) from error


def _bytes(tokenizer: Path) -> bytes:
    try:
        return tokenizer.read_bytes()
    except OSError as error:
        raise CorpusError(f"the tokenizer {tokenizer} cannot be read: {error.strerror}") from error
