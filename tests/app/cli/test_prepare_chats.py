"""`hred prepare` on exports of chat programs: every format, the summary, masking, and a model trained on one."""

import json
import zipfile
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from app.cli.prepare import prepare
from app.cli.train import train
from dialog.corpus.tokenized import TokenizedCorpus
from dialog.errors import UsageError

application = typer.Typer()
application.command()(prepare)
application.command()(train)


def run(*arguments: object):
    """Runs a command; its own errors come out as they are, for `main` prints them."""
    return CliRunner().invoke(application, [str(argument) for argument in arguments], catch_exceptions=False)


SMALL = ("--vocabulary-size", 300, "--valid-share", 0, "--test-share", 0, "--workers", 1)


def whatsapp(folder: Path, num_days: int = 20) -> Path:
    """A chat of six messages a day, one of them a picture, with something to mask in it."""
    lines = ["12/01/20, 08:00 - Messages are end-to-end encrypted."]
    for day in range(1, num_days + 1):
        stamp = f"12/{day:02}/20, 08:"
        lines += [
            f"{stamp}01 - Anna Berg: Good morning Tom, day {day}!",
            f"{stamp}02 - Tom: hi anna, see https://example.org/{day}",
            f"{stamp}03 - Anna Berg: <Media omitted>",
            f"{stamp}04 - Tom: call +49 170 12345{day:02}",
            f"{stamp}05 - Anna Berg: or write to anna@example.org",
            f"{stamp}06 - Tom: fine, bye",
        ]
    path = folder / "WhatsApp Chat with Tom.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def as_whatsapp(folder: Path) -> Path:
    return whatsapp(folder)


def as_telegram(folder: Path) -> Path:
    messages = [
        {
            "id": n,
            "type": "message",
            "date": f"2020-01-{1 + n // 4:02}T10:00:0{n % 4}",
            "from": "AB"[n % 2],
            "text": f"no {n}",
        }
        for n in range(80)
    ]
    path = folder / "result.json"
    path.write_text(json.dumps({"name": "x", "type": "personal_chat", "id": 1, "messages": messages}))
    return path


def as_discord(folder: Path) -> Path:
    messages = [
        {
            "id": str(n),
            "type": "Default",
            "timestamp": f"2020-01-{1 + n // 4:02}T10:00:0{n % 4}+00:00",
            "content": f"no {n}",
            "author": {"id": str(n % 2), "name": "AB"[n % 2]},
        }
        for n in range(80)
    ]
    path = folder / "x.json"
    path.write_text(json.dumps({"guild": {"id": "1"}, "channel": {"id": "2"}, "messages": messages}))
    return path


def as_slack(folder: Path) -> Path:
    path = folder / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "users.json", json.dumps([{"id": "U0", "real_name": "Ann"}, {"id": "U1", "real_name": "Bob"}])
        )
        for day in range(20):
            messages = [
                {
                    "type": "message",
                    "user": f"U{n % 2}",
                    "text": f"no {day} {n}",
                    "ts": f"{1_600_000_000 + day * 86_400 + n}.000000",
                }
                for n in range(4)
            ]
            archive.writestr(f"talk/{day:02}.json", json.dumps(messages))
    return path


def as_line(folder: Path) -> Path:
    days = [
        f"\n2020/01/{day:02}(月)\n10:00\t太郎\tおはよう{day}\n10:01\t花子\tはい{day}\n10:02\t太郎\tでは\n10:03\t花子\tまた\n"
        for day in range(1, 21)
    ]
    path = folder / "talk.txt"
    path.write_text(
        "[LINE] 花子とのトーク履歴\n保存日時：2021/01/02 10:00\n" + "".join(days), encoding="utf-8"
    )
    return path


def as_irc(folder: Path) -> Path:
    lines = [
        f"2020-01-{1 + n // 4:02} 10:00:0{n % 4}\t{'@ann' if n % 2 else 'bob'}\tno {n}\n" for n in range(80)
    ]
    path = folder / "talk.weechatlog"
    path.write_text("".join(lines))
    return path


def as_mbox(folder: Path) -> Path:
    mails = []
    for n in range(80):
        answers = f"In-Reply-To: <{n - 1}@b>\n" if n % 4 else ""
        date = f"Date: Thu, 1 Jan 2020 10:00:0{n % 4} +0000\n"
        head = f"From a@b Thu Jan  1 10:00:00 2020\nFrom: {'AB'[n % 2]}x <a@b>\nMessage-ID: <{n}@b>\n"
        mails.append(f"{head}{date}{answers}\nno {n}\n\n")
    path = folder / "all.mbox"
    path.write_text("".join(mails))
    return path


def as_chatgpt(folder: Path) -> Path:
    conversations = []
    for number in range(20):
        mapping = {
            str(n): {
                "parent": str(n - 1) if n else None,
                "message": {
                    "author": {"role": "assistant" if n % 2 else "user"},
                    "content": {"content_type": "text", "parts": [f"no {number} {n}"]},
                },
            }
            for n in range(4)
        }
        conversations.append({"title": "x", "mapping": mapping, "current_node": "3"})
    path = folder / "conversations.json"
    path.write_text(json.dumps(conversations))
    return path


MAKERS = [as_whatsapp, as_telegram, as_discord, as_slack, as_line, as_irc, as_mbox, as_chatgpt]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_every_format_becomes_a_corpus(tmp_path, make) -> None:
    out = tmp_path / "corpus"
    done = run("prepare", make(tmp_path), "--out", out, *SMALL)
    assert done.exit_code == 0, done.output
    report = TokenizedCorpus.open(out, verify=True).report
    assert [each["format"] for each in report["files"]] == [make.__name__.removeprefix("as_")]
    assert report["conversations"]["read"] == report["conversations"]["kept"] == 20
    messages = report["messages"]
    assert messages["read"] == messages["as_turns"] + sum(messages["left_out"].values())
    assert messages["as_turns"] == report["turns"]["read"] == (100 if make is as_whatsapp else 80)


def test_the_summary_tells_what_was_met_left_out_and_masked(tmp_path) -> None:
    out = tmp_path / "corpus"
    path = whatsapp(tmp_path)
    plain = run("prepare", path, "--out", out, *SMALL)
    for line in (
        "Messages of chats",
        "read\t121",
        "left out: media without text\t20",
        "left out: system line\t1",
    ):
        assert line in plain.stdout, plain.stdout
    assert "turns read of them\t100" in plain.stdout
    assert f"{path}: whatsapp; Android; dates: month first; 24-hour clock" in plain.stdout
    assert "Masked" not in plain.stdout
    masked = run("prepare", path, "--out", out, "--mask", "--overwrite", *SMALL, "--vocabulary-size", 1_000)
    for line in ("<name>\t40", "<link>\t20", "<mail>\t20", "<phone>\t20", "<media>\t20"):
        assert line in masked.stdout, masked.stdout
    corpus = TokenizedCorpus.open(out)
    row = corpus.split("train")[0]
    texts = [corpus.tokenizer.decode(tokens) for tokens in row.utterances]
    assert texts[:3] == ["Good morning <name>, day 1!", "hi <name>, see <link>", "<media>"]
    everything = "".join(
        path.read_bytes().decode("latin-1") for path in out.iterdir() if path.suffix == ".arrow"
    )
    assert "Tom" not in everything and "Anna" not in everything  # the ids, too: files are named after people
    # A placeholder is whole pieces of text, never bytes: the tokenizer has learned its letters.
    placeholders = corpus.tokenizer.encode("<name> <link> <mail> <phone> <media>")
    assert not any(corpus.tokenizer.pieces[token].startswith("<0x") for token in placeholders)
    assert corpus.tokenizer.decode(placeholders) == "<name> <link> <mail> <phone> <media>"
    assert len(placeholders) == 2 * 5  # the space before it, and one piece


def test_silence_is_settable_and_the_histogram_helps(tmp_path) -> None:
    path = whatsapp(tmp_path)
    done = run("prepare", path, "--gaps", "--out", tmp_path / "corpus")
    assert done.exit_code == 0, done.output
    assert "1 to 5 minutes\t100\t" + "█" * 40 in done.stdout
    assert "12 to 24 hours\t19\t" in done.stdout
    assert "60\t20\t6.0" in done.stdout
    assert "1,440\t1\t120.0" in done.stdout
    assert "120 messages, 0 without a time; nothing was written." in done.stdout
    assert not (tmp_path / "corpus").exists()
    run("prepare", path, "--out", tmp_path / "corpus", "--silence", 1_440, "--tokenizer", "bpe", *SMALL)
    assert TokenizedCorpus.open(tmp_path / "corpus").report["conversations"]["read"] == 1


def test_gaps_of_logs_that_are_no_chats(tmp_path) -> None:
    (tmp_path / "x.txt").write_text("hi\nho\n")
    with pytest.raises(UsageError, match="but the logs are plain"):
        run("prepare", tmp_path / "x.txt", "--gaps")


def test_masking_reaches_other_formats_and_parts(tmp_path) -> None:
    lines = [
        json.dumps(
            {
                "id": str(n),
                "turns": [
                    {"speaker": "Zoe", "text": f"hi {n} Max, www.x.org"},
                    {"speaker": "Max", "text": f"ho {n} Zoe"},
                ],
            }
        )
        for n in range(6)
    ]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    for part in (1, 2):
        run(
            "prepare",
            tmp_path / "x.jsonl",
            "--mask",
            "--out",
            tmp_path / str(part),
            "--shard",
            f"{part}/2",
            *SMALL,
        )
    done = run("prepare", "--merge", tmp_path / "1", tmp_path / "2", "--out", tmp_path / "corpus")
    assert done.exit_code == 0, done.output
    assert TokenizedCorpus.open(tmp_path / "corpus").report["masked"] == {"name": 12, "link": 6}


def test_a_model_trains_on_a_chat(tmp_path) -> None:
    path = whatsapp(tmp_path, num_days=28)
    run(
        "prepare",
        path,
        "--out",
        tmp_path / "corpus",
        "--mask",
        "--reply-as",
        "Tom",
        *SMALL[:2],
        "--valid-share",
        0.2,
    )
    sizes = [f"--set={name}=8" for name in ("embedding_size", "hidden_size", "context_size")]
    arguments = ("--model", "hred", "--out", tmp_path / "run", "--max-updates", 1, *sizes)
    done = run("train", tmp_path / "corpus", *arguments)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "run" / "model.safetensors").stat().st_size > 0
