"""`hred compare` from end to end on tiny models: what it writes, that it goes on, and what it refuses."""

import json
import shutil
import subprocess
import sys
import time

import pytest
import safetensors.torch
import torch
from typer import Typer
from typer.testing import CliRunner

from app.cli.compare import compare
from dialog.corpus.tokenized import TokenizedCorpus
from dialog.errors import DialogError, RunFolderError, UsageError
from dialog.evaluation.comparison.anchor_rows import ANCHORS
from dialog.models.registry import build_model, model_class
from dialog.run_folder import save_run
from dialog.text.tokenizer import Tokenizer, train_tokenizer

application = Typer(pretty_exceptions_enable=False)
application.command()(compare)

SMALL = (
    *("--samples", 3, "--prior-samples", 3, "--bootstrap", 40, "--replies", 3, "--vectors", "none"),
    *("--decoder", "greedy,max-tokens=8", "--decoder", "top-p=0.9,max-tokens=8"),
)
FILES = ("report.md", "report.html", "scores.json", "statistics.json.gz", "replies.jsonl")


def hred_compare(*arguments: object):
    result = CliRunner().invoke(application, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def make_run(folder, name, tokenizer, seed=1):
    fields = model_class(name).config_class.__dataclass_fields__
    sizes = {s: 8 for s in ("embedding_size", "hidden_size", "context_size", "latent_size") if s in fields}
    torch.manual_seed(seed)
    model = build_model(name, {"vocab_size": tokenizer.num_tokens, **sizes})
    save_run(folder, model, tokenizer, {"seed": seed}, f"# {name}\n")
    return folder


@pytest.fixture(scope="module")
def runs(corpus, tmp_path_factory):
    folder, tokenizer = tmp_path_factory.mktemp("runs"), TokenizedCorpus.open(corpus).tokenizer
    for name in ("seq2seq", "hred", "vhred", "vhcr", "lm"):
        make_run(folder / name, name, tokenizer)
    return folder


@pytest.fixture(scope="module")
def report(runs, corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    hred_compare(runs / "hred", runs / "vhred", "--corpus", corpus, "--out", out, *SMALL)
    return out


def table_of(scores, key, part="all"):
    (found,) = [each for each in scores["tables"] if (each["table"], each["part"]) == (key, part)]
    return found["rows"]


def scores_of(out):
    return json.loads((out / "scores.json").read_text())


def test_every_table_has_its_anchors_and_every_model(report) -> None:
    scores = scores_of(report)
    assert set(table_of(scores, "likelihood")) == {"frequencies of tokens", "hred", "vhred"}
    assert set(table_of(scores, "latent")) == {"vhred"}
    names = [f"{run}, {way},max-tokens=8" for run in ("hred", "vhred") for way in ("greedy", "top-p=0.9")]
    for key in ("overlap", "variety", "samples"):
        assert list(table_of(scores, key)) == [*ANCHORS, *names]
    true = table_of(scores, "overlap")["the true reply"]
    assert all(true[f"bleu_{order}"]["value"] == pytest.approx(100) for order in range(1, 5))
    assert true["chrf"]["value"] == pytest.approx(100)
    assert table_of(scores, "variety")["a random training reply"]["recited"]["value"] == 1
    text = (report / "report.md").read_text()
    for title in ("Likelihood", "Latent variable", "Use of the context", "Overlap", "Variety", "Models"):
        assert f"## {title}" in text
    assert "nrefs:1" in text and scores["settings"]["seed"] == 0


def test_a_model_without_context_use_and_figures_agree_with_evaluate(report, runs, corpus, hred) -> None:
    figures = json.loads(hred("evaluate", runs / "hred", corpus, "--json").stdout)
    found = table_of(scores_of(report), "likelihood")["hred"]["nats_per_token"]
    assert found["value"] == pytest.approx(figures["nats_per_token"], rel=5e-6)
    assert found["low"] <= found["value"] <= found["high"]


def test_a_second_call_and_one_after_a_kill_write_the_same_bytes(report, runs, corpus, tmp_path) -> None:
    command = (runs / "hred", runs / "vhred", "--corpus", corpus, *SMALL)
    before = {name: (report / name).read_bytes() for name in FILES}
    hred_compare(*command, "--out", report)
    assert {name: (report / name).read_bytes() for name in FILES} == before
    arguments = [sys.executable, "-m", "dialog", "compare", *map(str, command), "--out", str(tmp_path)]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(tmp_path.glob("cache/replies-*")):
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert not (tmp_path / "scores.json").exists()
    hred_compare(*command, "--out", tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == before


def test_a_report_is_printed_again_without_runs_or_corpus(report, tmp_path) -> None:
    shutil.copy(report / "statistics.json.gz", tmp_path / "kept.json.gz")
    printed = hred_compare("--from", tmp_path / "kept.json.gz").stdout
    assert printed == (report / "report.md").read_text()
    assert hred_compare("--from", report, "--json").stdout == (report / "scores.json").read_text()
    hred_compare("--from", report, "--out", tmp_path / "again")
    for name in ("report.md", "report.html", "scores.json"):
        assert (tmp_path / "again" / name).read_bytes() == (report / name).read_bytes()


def test_statistics_hold_no_text(report, corpus) -> None:
    import gzip

    held = gzip.decompress((report / "statistics.json.gz").read_bytes()).decode()
    prepared = TokenizedCorpus.open(corpus)
    said = prepared.split("test")[0].utterances
    for tokens in said:
        assert prepared.tokenizer.decode(tokens.tolist()) not in held


def test_replies_can_be_found_again(report, runs) -> None:
    from dialog.evaluation.comparison.answering import reply_seed

    lines = [json.loads(line) for line in (report / "replies.jsonl").read_text().splitlines()]
    contexts = scores_of(report)["data"]["replies"]
    assert len(lines) == contexts * (len(ANCHORS) + 4)
    line = next(each for each in lines if each["run"] == "vhred")
    assert line["seed"] == reply_seed(0, line["conversation"], line["turn"])
    assert line["decoder"]["method"] == "greedy" and len(line["context_hash"]) == 64
    assert len(line["replies"]) == 3 == len(set(line["indices"]))


def test_figures_of_a_run_do_not_depend_on_the_runs_beside_it(report, runs, corpus, tmp_path) -> None:
    hred_compare(f"other={runs / 'seq2seq'}", runs / "hred", "--corpus", corpus, "--out", tmp_path, *SMALL)
    alone, beside = scores_of(report), scores_of(tmp_path)
    for key in ("likelihood", "turns", "context", "overlap", "variety", "samples"):
        for row, figures in table_of(beside, key).items():
            if not row.startswith("other"):
                assert figures == table_of(alone, key)[row]
    assert "other" in table_of(beside, "likelihood")


def test_another_tokenizer_is_compared_by_characters_and_words(runs, corpus, tmp_path) -> None:
    texts = ["hello, who are you?", "I am", "is well", "and you?", "me too."] * 20
    other = Tokenizer.from_bytes(train_tokenizer(texts, 285))
    make_run(tmp_path / "strange", "vhcr", other)
    arguments = (
        runs / "hred",
        tmp_path / "strange",
        "--corpus",
        corpus,
        "--out",
        tmp_path / "report",
        *SMALL,
    )
    hred_compare(*arguments, "--max-conversations", 3)
    rows = table_of(scores_of(tmp_path / "report"), "likelihood")
    assert set(rows) == {"frequencies of tokens", "hred", "strange"}
    assert "nats_per_token" not in rows["hred"] and rows["strange"]["nats_per_character"]["value"] > 0
    text = (tmp_path / "report" / "report.md").read_text()
    assert "different tokenizers" in text and "strange has another tokenizer than the corpus" in text


def test_one_conversation_has_figures_and_no_intervals(runs, corpus, tmp_path) -> None:
    command = (runs / "vhred", "--corpus", corpus, "--out", tmp_path, "--max-conversations", 1, *SMALL)
    hred_compare(*command)
    scores = scores_of(tmp_path)
    found = table_of(scores, "likelihood")["vhred"]["nats_per_token"]
    assert found["value"] > 0 and found["low"] is None
    assert "rise_other" not in table_of(scores, "context")["vhred"]
    assert "One conversation alone gives none" in (tmp_path / "report.md").read_text()


def test_word_vectors_are_trained_or_read(runs, corpus, tmp_path) -> None:
    pytest.importorskip("gensim")
    small = [part for part in SMALL if part not in ("--vectors", "none")]
    command = (runs / "hred", "--corpus", corpus, "--max-conversations", 4, *small)
    hred_compare(*command, "--out", tmp_path / "trained")
    rows = table_of(scores_of(tmp_path / "trained"), "embedding")
    assert rows["the true reply"]["embedding_average"]["value"] == pytest.approx(1)
    assert "word2vec (skipgram)" in (tmp_path / "trained" / "report.md").read_text()
    (tmp_path / "v.txt").write_text("you 1 0\nhello 0 1\nwell 1 1\n")
    hred_compare(*command, "--out", tmp_path / "read", "--vectors", tmp_path / "v.txt")
    rows = table_of(scores_of(tmp_path / "read"), "embedding")
    assert 0 < rows["the true reply"]["embedding_reply_unknown"]["value"] < 1


def test_candidates_are_ranked_against_a_language_model(runs, corpus, tmp_path) -> None:
    way = f"mmi={runs / 'lm'},candidates=4,max-tokens=8"
    few = [*SMALL[:10], "--max-conversations", 2, "--decoder", way]
    hred_compare(runs / "hred", "--corpus", corpus, "--out", tmp_path, *few)
    scores = scores_of(tmp_path)
    assert "hred, mmi=lm,candidates=4,max-tokens=8" in table_of(scores, "overlap")
    assert set(scores["settings"]["ranker_weights"]) == {"mmi=lm,candidates=4,max-tokens=8"}


def damaged(run, folder):
    shutil.copytree(run, folder)
    from dialog.run_folder import load_run

    loaded = load_run(run)
    with torch.no_grad():
        next(loaded.model.parameters())[0, 0] = float("nan")
    save_run(folder, loaded.model, loaded.tokenizer, {}, "")
    assert safetensors.torch.load_file(folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "there is nothing to compare; name one run"),
        (("RUNS/hred",), "there is nothing to compare on; add --corpus"),
        (("RUNS/hred", "RUNS/hred", "--corpus", "CORPUS"), "two runs are called 'hred'"),
        (("RUNS/lm", "--corpus", "CORPUS"), "it answers nothing"),
        (("RUNS/none", "--corpus", "CORPUS"), "is no folder and no shipped model"),
        (("RUNS/hred", "--corpus", "RUNS"), "is no prepared corpus"),
        (("RUNS/hred", "--corpus", "CORPUS", "--split", "tset"), "there is no split 'tset'"),
        (("RUNS/hred", "--corpus", "CORPUS", "--words", "wrods"), "there is no word rule 'wrods'"),
        (("RUNS/hred", "--corpus", "CORPUS", "--decoder", "loud"), "there is no 'loud'"),
        (("RUNS/hred", "--corpus", "CORPUS", "--decoder", "mmi=RUNS/hred"), "language model"),
        (("RUNS/hred", "--corpus", "CORPUS", "--vectors", "RUNS/v.txt"), "cannot be read"),
        (("RUNS/hred", "--from", "RUNS"), "leave the runs and --corpus out"),
        (("--from", "RUNS/no.json.gz"), "cannot be read"),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(arguments, sentence, runs, corpus, tmp_path) -> None:
    given = [str(part).replace("RUNS", str(runs)).replace("CORPUS", str(corpus)) for part in arguments]
    with pytest.raises(DialogError, match=sentence):
        hred_compare(*given, "--out", tmp_path / "out")
    assert not (tmp_path / "out" / "scores.json").exists()


def test_weights_that_are_no_numbers_are_told(runs, corpus, tmp_path) -> None:
    run = damaged(runs / "hred", tmp_path / "broken")
    with pytest.raises(RunFolderError, match="has weights that are no numbers"):
        hred_compare(run, "--corpus", corpus, "--out", tmp_path / "out", *SMALL)


def test_a_ranker_of_another_vocabulary_is_told_before_the_work(runs, corpus, tmp_path) -> None:
    other = Tokenizer.from_bytes(train_tokenizer(["hello, who are you?"] * 9, 280))
    make_run(tmp_path / "lm", "lm", other)
    with pytest.raises(UsageError, match="another vocabulary"):
        hred_compare(
            *(
                runs / "hred",
                "--corpus",
                corpus,
                "--out",
                tmp_path / "out",
                "--decoder",
                f"mmi={tmp_path / 'lm'}",
            )
        )
    assert not (tmp_path / "out").exists()
