"""Runs that are killed and go on, and parts that are merged: the bytes of one undisturbed run."""

import itertools
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from dialog.corpus.prepare import Settings, merge_parts, prepare_corpus, prepare_part
from dialog.corpus.splits import Shares
from dialog.corpus.tokenized import SPLITS, TokenizedCorpus
from dialog.errors import CorpusError, UsageError

SMALL = {"segment_bytes": 40_000, "vocabulary_size": 320, "shares": Shares(0.2, 0.2)}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def logs(tmp_path, write_jsonl, made_conversation) -> list[Path]:
    """Files that are cut, one that is packed, small ones, an empty one; bad lines; duplicates within and across."""
    folder = tmp_path / "logs"
    made = [made_conversation(number, 5) for number in range(1_500)]
    sizes = {"a.jsonl": (0, 700), "c.jsonl": (500, 520), "d.jsonl.gz": (520, 1_000), "e.jsonl": (900, 1_500)}
    for name, (first, last) in sizes.items():
        write_jsonl(folder / name, [*made[first:last], "{", *made[first : first + 3]])
    (folder / "b.jsonl").write_bytes(b"")
    return [folder]


@pytest.mark.parametrize("is_given", [False, True])
def test_parts_that_are_merged_are_what_one_machine_makes(tmp_path, logs, is_given) -> None:
    first = prepare_corpus(Settings(out=tmp_path / "first", logs=logs, vocabulary_size=300))
    given = first.folder / "tokenizer.model" if is_given else None
    settings = {"logs": logs, "tokenizer_from": given, "file_bytes": 30_000, **SMALL}
    one = prepare_corpus(Settings(out=tmp_path / "one", **settings))
    parts = [tmp_path / f"part-{number}" for number in (3, 1, 2)]
    counted = [
        prepare_part(
            Settings(out=part, shard=(int(part.name[-1]), 3), workers=1 + (part is parts[0]), **settings)
        )
        for part in parts
    ]
    merged = merge_parts(Settings(out=tmp_path / "merged", logs=parts))
    assert contents(one.folder) == contents(merged.folder)
    assert all(each["rows"] > 100 for each in counted)
    assert sum(each["records"] for each in counted) == merged.report["records"]["read"]
    conversations = merged.report["conversations"]
    assert conversations["kept"] == 1_500
    assert (
        conversations["read"] == 1_500 + conversations["dropped"]["duplicate"] == 1_500 + 20 + 180 + 100 + 12
    )
    assert merged.report["records"]["bad"] == 4
    assert "train-00001.arrow" in contents(merged.folder)
    assert len(TokenizedCorpus.open(merged.folder, verify=True).split("train")) > 800


def test_parts_that_do_not_fit_are_refused(tmp_path, logs) -> None:
    for number, seed in ((1, 1), (2, 2)):
        prepare_part(Settings(out=tmp_path / f"{number}", logs=logs, shard=(number, 2), seed=seed, **SMALL))
    one, other = tmp_path / "1", tmp_path / "2"
    for parts, said in (
        ([one], "the parts are 1/2: give each of the 2 parts once"),
        ([one, one], "the parts are 1/2, 1/2: give each"),
        ([one, other], "parts of different corpora"),
        ([tmp_path / "logs"], "is no part of a corpus"),
    ):
        with pytest.raises(CorpusError, match=said):
            merge_parts(Settings(out=tmp_path / "out", logs=parts))
    with pytest.raises(UsageError, match="name the parts"):
        merge_parts(Settings(out=tmp_path / "out"))
    for shard in ((0, 2), (3, 2)):
        with pytest.raises(UsageError, match="--shard"):
            Settings(out=one, shard=shard)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["1", "2", "logs"]


CODE = """
import sys
from pathlib import Path
from dialog.corpus.prepare import Settings, prepare_corpus
from dialog.corpus.splits import Shares
if __name__ == "__main__":
    print("started", flush=True)
    prepare_corpus(Settings(out=Path(sys.argv[1]), logs=[Path(sys.argv[2])], workers=int(sys.argv[3]),
        segment_bytes=40_000, vocabulary_size=320, shares=Shares(0.2, 0.2)))
    print("done", flush=True)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_goes_on_and_makes_the_same_bytes(tmp_path, logs, workers) -> None:
    prepare_corpus(Settings(out=tmp_path / "whole", logs=logs, **SMALL))
    out = tmp_path / "out"
    script = tmp_path / "run.py"
    script.write_text(CODE)
    command = [sys.executable, str(script), str(out), str(logs[0]), str(workers)]
    waits = random.Random(workers)
    num_killed = 0
    for limit in (0.1, 0.3, 0.6, 1.0, None):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3], env={"PYTHONPATH": "."}
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        if limit is None:
            assert process.communicate(timeout=300)[0] == b"done\n"
            continue
        time.sleep(waits.uniform(0.0, limit))
        process.send_signal(signal.SIGKILL)
        num_killed += process.wait() == -signal.SIGKILL
        process.stdout.close()
        if out.exists():
            break
    assert num_killed
    assert contents(out) == contents(tmp_path / "whole")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["logs", "out", "run.py", "whole"]


def test_a_stopped_run_goes_on_from_each_of_its_steps(tmp_path, logs) -> None:
    class Stop(BaseException):
        pass

    whole: list[tuple[str, int]] = []
    settings = {"logs": logs, **SMALL}
    prepare_corpus(Settings(out=tmp_path / "whole", **settings), lambda *told: whole.append(told[:2]))
    num_stopped = 0
    while not (tmp_path / "out").exists():
        told = itertools.count()

        def stop(*_, told=told, last=num_stopped) -> None:
            if next(told) == last:
                raise Stop

        with suppress(Stop):
            prepare_corpus(Settings(out=tmp_path / "out", **settings), stop)
        num_stopped += 1
        assert num_stopped < 5 + len(whole)
    assert num_stopped > 5
    corpus = TokenizedCorpus.open(tmp_path / "out", verify=True)
    assert contents(corpus.folder) == contents(tmp_path / "whole")
    assert all(len(corpus.split(name)) for name in SPLITS)


def test_changed_logs_begin_anew(tmp_path, logs, write_jsonl, made_conversation) -> None:
    def stop(step: str, *_: int) -> None:
        if step.startswith("Training"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_corpus(Settings(out=tmp_path / "out", logs=logs, **SMALL), stop)
    assert (tmp_path / ".out.preparing").is_dir()
    write_jsonl(logs[0] / "a.jsonl", [made_conversation(number) for number in range(2_000, 2_100)])
    changed = prepare_corpus(Settings(out=tmp_path / "out", logs=logs, **SMALL))
    anew = prepare_corpus(Settings(out=tmp_path / "anew", logs=logs, **SMALL))
    assert contents(changed.folder) == contents(anew.folder)


def test_two_runs_do_not_write_the_same_corpus(tmp_path, logs) -> None:
    pytest.importorskip("fcntl")

    def begin_another(*_: object) -> None:
        prepare_corpus(Settings(out=tmp_path / "out", logs=logs, **SMALL))

    with pytest.raises(CorpusError, match="another `hred prepare` is writing"):
        prepare_corpus(Settings(out=tmp_path / "out", logs=logs, **SMALL), begin_another)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["logs"]
