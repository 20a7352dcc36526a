"""`prepare_corpus` from logs to a corpus: what stands in it, what is reported, what is refused."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dialog.corpus.prepare import Settings, prepare_corpus
from dialog.corpus.splits import Shares
from dialog.corpus.tokenized import SPLITS, TokenizedCorpus
from dialog.errors import CorpusError, LogError, TooManyBadRecords, UsageError
from dialog.text.normalise import normalise

REAL = Path(__file__).parents[4] / "shared" / "corpora"


@pytest.fixture
def log(tmp_path, write_jsonl, made_conversation) -> Path:
    return write_jsonl(tmp_path / "logs" / "log.jsonl", [made_conversation(number) for number in range(60)])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def ids(corpus: TokenizedCorpus, split: str) -> list[str]:
    rows = corpus.split(split)
    return [rows[i].id for i in range(len(rows))]


def test_texts_come_back_in_the_order_of_the_logs(
    tmp_path, log, made_conversation, prepared, texts_of
) -> None:
    corpus = prepared(tmp_path / "out", log)
    made = [made_conversation(number) for number in range(60)]
    assert texts_of(corpus) == [[normalise(turn["text"]) for turn in each["turns"]] for each in made]
    assert ids(corpus, "train") == [each["id"] for each in made]
    row = corpus.split("train")[-1]
    assert row.speakers.tolist() == [0, 1, 0, 1]
    assert row.targets.tolist() == [False, True, True, True]


def test_the_output_is_the_same_for_any_number_of_workers(tmp_path, log, prepared) -> None:
    shares = Shares(0.2, 0.2)
    for workers in (1, 3):
        prepared(tmp_path / str(workers), log, shares=shares, workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")


def test_a_split_does_not_change_when_files_are_added(
    tmp_path, log, write_jsonl, made_conversation, prepared
) -> None:
    more = write_jsonl(tmp_path / "more.jsonl.gz", [made_conversation(number) for number in range(60, 150)])
    shares = Shares(0.2, 0.2)
    few, many = (
        prepared(tmp_path / "few", log, shares=shares),
        prepared(tmp_path / "many", more, log, shares=shares),
    )
    for split in SPLITS:
        assert ids(few, split)
        assert set(ids(few, split)) <= set(ids(many, split))


def test_the_report_adds_up_rule_by_rule(tmp_path, write_jsonl, made_conversation, prepared) -> None:
    items = [made_conversation(number) for number in range(20)]
    items += [items[3], items[4], {"turns": []}, {"turns": [{"speaker": "A", "text": "alone"}]}]
    same = [{"speaker": "A", "text": text} for text in ("one", "two", " ")]
    items += [{"turns": [*same, {"speaker": "B", "text": "\ud800 three"}]}]
    items += [{"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "y"}]}]
    path = write_jsonl(tmp_path / "log.jsonl", [*items, "{", '{"turns": 3}'])
    report = prepared(tmp_path / "out", path, max_bad=0.1).report
    assert report["records"]["read"] == 28
    assert report["records"]["first_bad"][0].startswith(f"{path}:27: no JSON")
    assert report["records"]["first_bad"][1].startswith(f"{path}:28: expected a list")
    conversations = report["conversations"]
    assert conversations["dropped"] == {"one_turn": 3, "many_speakers": 0, "no_target": 0, "duplicate": 2}
    assert conversations["read"] == 26 == conversations["kept"] + sum(conversations["dropped"].values())
    turns = report["turns"]
    assert turns == {"read": 95, "kept": 82, "system": 0, "empty": 1, "joined": 1, "of_dropped": 11}
    assert turns["read"] == sum(turns[name] for name in turns if name != "read")
    assert report["texts"]["repaired"] == 1


def test_the_first_of_duplicates_is_kept(tmp_path, write_jsonl, made_conversation, prepared) -> None:
    twin = {**made_conversation(1), "id": "twin"}
    first = write_jsonl(tmp_path / "b.jsonl", [made_conversation(0), twin])
    second = write_jsonl(tmp_path / "a.jsonl", [made_conversation(1), made_conversation(2)])
    assert ids(prepared(tmp_path / "out", first, second), "train") == ["made-0", "twin", "made-2"]


def test_given_files_are_the_splits_and_leaks_are_named(
    tmp_path, write_jsonl, made_conversation, prepared
) -> None:
    loud = {
        "id": "loud",
        "turns": [{**turn, "text": turn["text"].upper() + "!"} for turn in made_conversation(1)["turns"]],
    }
    files = {
        "train": [write_jsonl(tmp_path / "one.jsonl", [made_conversation(number) for number in range(30)])],
        "valid": [write_jsonl(tmp_path / "two.jsonl", [made_conversation(40), loud])],
        "test": [write_jsonl(tmp_path / "three.jsonl", [made_conversation(40), made_conversation(2)])],
    }
    corpus = prepared(tmp_path / "out", given=files)
    assert [len(corpus.split(name)) for name in SPLITS] == [30, 2, 2]
    found = corpus.report["in_two_splits"]
    assert {name: entry["ids"] for name, entry in found.items()} == {
        "valid_in_train": ["loud"],
        "test_in_train": ["made-2"],
        "test_in_valid": ["made-40"],
    }


def test_a_split_that_is_not_given_is_drawn_from_training(
    tmp_path, write_jsonl, made_conversation, prepared
) -> None:
    files = {
        "train": [write_jsonl(tmp_path / "one.jsonl", [made_conversation(number) for number in range(60)])],
        "test": [
            write_jsonl(tmp_path / "two.jsonl", [made_conversation(number) for number in range(70, 75)])
        ],
    }
    corpus = prepared(tmp_path / "out", given=files, shares=Shares(0.3, 0.3))
    assert len(corpus.split("test")) == 5
    assert len(corpus.split("valid")) > 5
    assert len(corpus.split("train")) + len(corpus.split("valid")) == 60


def test_a_folder_in_dailydialogs_layout_needs_no_option(
    tmp_path, write_bytes, made_conversation, prepared
) -> None:
    raw = tmp_path / "raw"
    for split, numbers in (("train", range(30)), ("validation", range(30, 35)), ("test", range(35, 41))):
        texts = [[turn["text"] for turn in made_conversation(number)["turns"]] for number in numbers]
        lines = [" __eou__ ".join(each) + " __eou__\n" for each in texts]
        write_bytes(raw / split / f"dialogues_{split}.txt", "".join(lines).encode())
        write_bytes(raw / split / f"dialogues_act_{split}.txt", b"1 2 3 4\n" * len(lines))
    write_bytes(raw / "README.md", b"not a log\n")
    corpus = prepared(tmp_path / "out", raw, split_by="auto")
    assert [len(corpus.split(name)) for name in SPLITS] == [30, 5, 6]
    assert corpus.report["splits"]["by"] == "names"
    assert [Path(line.split(":")[0]).name for line in corpus.report["left_out"]] == [
        "dialogues_act_test.txt",
        "dialogues_act_train.txt",
        "dialogues_act_validation.txt",
    ]


def test_control_symbols_and_markup_come_back(
    tmp_path, write_jsonl, made_conversation, prepared, texts_of
) -> None:
    odd = ["</s> <unk> <0x41>", "<script>alert(1)</script>", "\u2581 \0 😀"]
    turns = [{"speaker": "AB"[place % 2], "text": text} for place, text in enumerate(odd)]
    path = write_jsonl(tmp_path / "log.jsonl", [made_conversation(1), {"turns": turns}])
    assert texts_of(prepared(tmp_path / "out", path))[1] == odd


def test_too_many_bad_records_stop_it_and_nothing_is_left(
    tmp_path, write_jsonl, made_conversation, prepared
) -> None:
    path = write_jsonl(tmp_path / "logs" / "log.jsonl", [made_conversation(1), made_conversation(2), "{"])
    with pytest.raises(TooManyBadRecords, match=r"1 of 3 records are bad, .* 1\.00%.*log\.jsonl:3: no JSON"):
        prepared(tmp_path / "out", path)
    assert [each.name for each in tmp_path.iterdir()] == ["logs"]


def test_an_unknown_name_for_reply_as_lists_the_speakers(tmp_path, log, prepared) -> None:
    with pytest.raises(CorpusError, match="by 'Zoe'; the speakers are 'A', 'B'"):
        prepared(tmp_path / "out", log, reply_as="Zoe")


@pytest.mark.parametrize("data", [b"", b"\n", b'{"turns": []}\n'])
def test_nothing_to_train_on_is_said(tmp_path, write_bytes, prepared, data) -> None:
    with pytest.raises(CorpusError, match="no conversation is left to train on"):
        prepared(tmp_path / "out", write_bytes(tmp_path / "log.jsonl", data))


def test_what_cannot_be_is_refused(tmp_path, log, prepared) -> None:
    with pytest.raises(UsageError, match="give LOGS"):
        prepared(tmp_path / "out")
    with pytest.raises(UsageError, match="not both"):
        prepared(tmp_path / "out", log, given={"train": [log]})
    with pytest.raises(UsageError, match="need --train"):
        prepared(tmp_path / "out", given={"test": [log]})
    with pytest.raises(UsageError, match="--split-by names needs"):
        prepared(tmp_path / "out", log, split_by="names")
    with pytest.raises(LogError, match="does not exist"):
        prepared(tmp_path / "out", tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LogError, match="holds no file"):
        prepared(tmp_path / "out", tmp_path / "empty")
    for wrong in ({"max_bad": 2.0}, {"workers": -1}, {"seed": 2**70}):
        with pytest.raises(UsageError):
            prepared(tmp_path / "out", log, **wrong)


def test_a_folder_is_replaced_only_when_asked_and_only_a_corpus(tmp_path, log, prepared) -> None:
    out = tmp_path / "out"
    out.mkdir()
    prepared(out, log)
    before = contents(out)
    with pytest.raises(CorpusError, match="--overwrite"):
        prepared(out, log)
    prepared(out, log, overwrite=True, vocabulary_size=300)
    assert contents(out) != before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["logs", "out"]
    with pytest.raises(CorpusError, match="something else"):
        prepared(tmp_path / "logs", log, overwrite=True)
    with pytest.raises(CorpusError, match="no folder"):
        prepared(log, log)


def test_an_interrupted_run_leaves_what_the_next_goes_on_from(
    tmp_path, write_jsonl, made_conversation
) -> None:
    log = write_jsonl(tmp_path / "log.jsonl", [made_conversation(number, 9) for number in range(3_000)])
    code = (
        "from pathlib import Path\n"
        "from dialog.corpus.prepare import Settings, prepare_corpus\n"
        "def told(step, done, total):\n"
        "    if step.startswith('Training'): print(step, flush=True)\n"
        f"prepare_corpus(Settings(out=Path({str(tmp_path / 'out')!r}), logs=[Path({str(log)!r})]), told)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode != 0
    assert sorted(each.name for each in tmp_path.iterdir()) == [".out.preparing", "log.jsonl"]
    steps: list[str] = []
    prepare_corpus(Settings(out=tmp_path / "out", logs=[log]), lambda step, *_: steps.append(step))
    assert steps[0] == "Going on where an earlier run stopped"
    prepare_corpus(Settings(out=tmp_path / "again", logs=[log]))
    assert contents(tmp_path / "out") == contents(tmp_path / "again")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["again", "log.jsonl", "out"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak memory from /proc")
def test_memory_does_not_grow_with_the_logs(tmp_path, write_bytes, made_conversation) -> None:
    line = json.dumps({"turns": made_conversation(1, 90)["turns"]}).encode() + b"\n"
    peaks = []
    for size in (8 << 20, 48 << 20):
        # All but the first are duplicates: read, parsed, cleaned and dropped, so only reading can grow.
        log = write_bytes(tmp_path / f"{size}.jsonl", line * (size // len(line)))
        code = (
            "from pathlib import Path\n"
            "from dialog.corpus.prepare import Settings, prepare_corpus\n"
            "from dialog.corpus.splits import Shares\n"
            f"prepare_corpus(Settings(out=Path({str(tmp_path / f'out-{size}')!r}), logs=[Path({str(log)!r})], "
            "vocabulary_size=300, shares=Shares(0.0, 0.0), workers=1, segment_bytes=4 << 20))\n"
            "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
        peaks.append(int(done.stdout) << 10)
    assert peaks[1] < peaks[0] + (20 << 20)  # the allocator keeps some; the logs differ by 40 MiB


@pytest.mark.skipif(not REAL.is_dir(), reason="the real corpora are not on this machine")
def test_dailydialogs_published_test_split(tmp_path, prepared) -> None:
    raw = REAL / "dailydialog" / "raw" / "ijcnlp_dailydialog"
    corpus = prepared(tmp_path / "out", raw / "test", vocabulary_size=1_000)
    report = corpus.report
    assert report["records"] == {"read": 1_000, "bad": 0, "first_bad": []}
    assert report["turns"]["read"] == 7_740


def test_a_given_tokenizer_is_taken_as_it_is(tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("\n\n".join(f"hello {n}\nhi there {n}" for n in range(40)), encoding="utf-8")
    first = prepare_corpus(Settings(out=tmp_path / "first", logs=[log], vocabulary_size=300))
    other = tmp_path / "other.txt"
    other.write_text("\n\n".join(f"good day {n}\nfarewell {n}" for n in range(40)), encoding="utf-8")
    second = prepare_corpus(
        Settings(out=tmp_path / "second", logs=[other], tokenizer_from=tmp_path / "first" / "tokenizer.model")
    )
    assert second.tokenizer.hash == first.tokenizer.hash
