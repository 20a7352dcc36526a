"""Trains the rows of the DailyDialog benchmark at equal size on equally many target tokens: `make benchmark`.

    python benchmarks/dailydialog.py CORPUS --out runs/dailydialog --target-tokens 20000000 [--hidden 512]
        [--seeds 1 2 3] [--rows seq2seq-last hred-context ...] [--parallel 2] [--max-minutes 60] [--measure]
        [--decoders greedy top-p=0.5 beam=5] [--no-compare]

CORPUS is a folder that `hred prepare` wrote, or the folder of the corpus as published, which is prepared into
OUT/dailydialog first. `--measure` times a few updates of each row and says what a budget would take; the budget is to
be fixed by that, before the first training. Stopped at any moment (Ctrl-C, a kill, --max-minutes), the same command
goes on. What a row is stands in `dailydialog_rows.py`, what lies in OUT in `dailydialog_training.py`.

All rows share vocabulary, batches, their order and the number of target tokens; their numbers of parameters differ by
5 % at most, which is checked. The weights that did best on the validation split are a run's. When all rows are trained,
`hred compare` compares those of each seed on the test split, into OUT/report-seed1.
"""

import argparse
import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from dailydialog_rows import REFERENCE, ROWS, Row, fitted_settings, num_parameters
from dailydialog_training import DONE_FILE, Budget, Job, RowFailed, Runner, jobs_of
from figures import print_result

from dialog.corpus.tokenized import CORPUS_FILE, TokenizedCorpus
from dialog.errors import DialogError
from dialog.models.config import parse_assignments
from dialog.models.registry import build_model, model_class
from dialog.run_folder import write_atomically
from dialog.training.config import LatentTrainingConfig, training_config_class
from dialog.training.estimate import estimate_training


def main() -> None:
    """Runs the benchmark."""
    arguments = _parser().parse_args()
    try:
        _run(arguments)
    except DialogError as error:
        sys.exit(f"dailydialog: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/dailydialog"))
    parser.add_argument("--target-tokens", type=_count, default=20_000_000, help="that each row sees in all")
    parser.add_argument(
        "--hidden", type=int, default=512, help="of the reference row: embedding, hidden, context"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="for all rows that have it"
    )
    parser.add_argument("--parallel", type=int, default=1, help="rows that are trained at a time")
    parser.add_argument(
        "--max-minutes", type=float, help="when trainings of this start stop; the next one goes on"
    )
    parser.add_argument(
        "--decoders", nargs="+", default=["greedy", "top-p=0.5", "top-p=0.9"], help="of the comparison"
    )
    parser.add_argument(
        "--compare-options",
        default="",
        metavar="TEXT",
        help='of hred compare: --compare-options="--samples 50"',
    )
    parser.add_argument("--no-compare", action="store_true", help="train, and compare nothing")
    parser.add_argument("--measure", action="store_true", help="say what the budget takes, and train nothing")
    parser.add_argument("--dry-run", action="store_true", help="print sizes and commands, and train nothing")
    return parser


def _count(text: str) -> int:
    return int(float(text.replace(",", "").replace("_", "")))


def _run(arguments: argparse.Namespace) -> None:
    started = time.monotonic()
    corpus = _prepared(arguments.corpus, arguments.out)
    settings, common = _shared_settings(arguments)
    vocab_size = corpus.tokenizer.num_tokens
    rows = [ROWS[name] for name in arguments.rows]
    sizes = {row.name: fitted_settings(row, vocab_size, arguments.hidden, settings) for row in rows}
    _say_sizes(rows, sizes, vocab_size, arguments.hidden, settings)
    if arguments.measure:
        _measure(rows, sizes, corpus, common, arguments)
        return
    work = []
    for seed in arguments.seeds:  # all rows of a seed before the next one
        budget = Budget.of(arguments.target_tokens, corpus.split("train"), _plain(common), seed)
        work += [jobs_of(row, seed, sizes[row.name], common, budget, arguments.out) for row in rows]
    if arguments.dry_run:
        for job in (job for jobs in work for job in jobs):
            print(" ".join(job.command(corpus.folder, None)))
        return
    _check_plan(arguments, corpus, settings, common)
    deadline = None if arguments.max_minutes is None else started + 60 * arguments.max_minutes
    problems = _train_all(work, Runner(corpus.folder, deadline, arguments.parallel), arguments.parallel)
    _say_results(work)
    if problems:
        sys.exit("\n".join(problems))
    if not arguments.no_compare and all(job.is_done for jobs in work for job in jobs):
        _compare(work, corpus.folder, arguments)


def _prepared(folder: Path, out: Path) -> TokenizedCorpus:
    """Opens a prepared corpus, or prepares the published one."""
    if (folder / CORPUS_FILE).exists():
        return TokenizedCorpus.open(folder)
    made = out / "dailydialog"
    if not (made / CORPUS_FILE).exists():
        out.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "dialog", "prepare", str(folder), "--out", str(made)], check=False
        )
        if done.returncode:
            sys.exit(f"dailydialog: {folder} could not be prepared; above it says why")
    return TokenizedCorpus.open(made)


def _shared_settings(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sorts what all rows have into settings of models and of training."""
    settings: dict[str, Any] = {"dropout": arguments.dropout}
    common: dict[str, Any] = {
        "batch_tokens": arguments.batch_tokens,
        "learning_rate": arguments.learning_rate,
    }
    for assignment in arguments.set:
        name = assignment.partition("=")[0]
        owners = [
            each
            for model in dict.fromkeys(row.stages[-1].model for row in ROWS.values())
            for each in (model_class(model).config_class, training_config_class(model_class(model).is_latent))
            if name in each.__dataclass_fields__
        ]
        if not owners:
            sys.exit(f"dailydialog: no row has a setting {name!r}; `hred models` lists them")
        (values,) = parse_assignments([assignment], owners[0])
        is_training = name in {field.name for field in fields(LatentTrainingConfig)}
        (common if is_training else settings).update(values)
    return settings, common


def _plain(common: Mapping[str, Any]) -> dict[str, Any]:
    known = training_config_class(False).__dataclass_fields__
    return {name: value for name, value in common.items() if name in known}


def _check_plan(
    arguments: argparse.Namespace,
    corpus: TokenizedCorpus,
    settings: Mapping[str, Any],
    common: Mapping[str, Any],
) -> None:
    """Notes what all runs in OUT have in common; runs of other settings are not to lie beside them."""
    plan = {
        "corpus": corpus.hash,
        "hidden": arguments.hidden,
        "target_tokens": arguments.target_tokens,
        "settings": dict(settings),
        "training": dict(common),
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    place = arguments.out / "plan.json"
    if not place.exists():
        write_atomically(place, json.dumps(plan, indent=2).encode())
        return
    before = json.loads(place.read_bytes())
    changed = [
        f"{name} {before.get(name)!r} then, {plan[name]!r} now"
        for name in plan
        if before.get(name) != plan[name]
    ]
    if changed:
        sys.exit(
            f"dailydialog: the runs in {arguments.out} were begun with other settings ({'; '.join(changed)}); "
            "give those, or another --out"
        )


def _say_sizes(
    rows: Sequence[Row],
    sizes: Mapping[str, dict[str, Any]],
    vocab_size: int,
    hidden: int,
    settings: Mapping[str, Any],
) -> None:
    reference = ROWS[REFERENCE]
    wanted = num_parameters(
        reference.stages[-1].model, fitted_settings(reference, vocab_size, hidden, settings)
    )
    print(f"{'row':14} {'parameters':>11} {'of ' + REFERENCE:>16}   fitted")
    for row in rows:
        found = num_parameters(row.stages[-1].model, sizes[row.name])
        fitted = f"{row.fitted}={sizes[row.name][row.fitted]}" if row.fitted else "as it is"
        print(f"{row.name:14} {found:11,} {100 * (found / wanted - 1):+15.2f}%   {fitted}")


def _measure(
    rows: Sequence[Row],
    sizes: Mapping[str, dict[str, Any]],
    corpus: TokenizedCorpus,
    common: Mapping[str, Any],
    arguments: argparse.Namespace,
) -> None:
    """Times a few updates of each stage; validations come on top."""
    seed, total = arguments.seeds[0], 0.0
    budget = Budget.of(arguments.target_tokens, corpus.split("train"), _plain(common), seed)
    where = "the GPU" if torch.cuda.is_available() else f"{torch.get_num_threads()} threads"
    print(
        f"{arguments.target_tokens:,} target tokens a row, {budget.loader.num_target_tokens:,} an epoch, on {where}:"
    )
    for row in rows:
        minutes, rates = 0.0, []
        for job in jobs_of(row, seed, sizes[row.name], common, budget, arguments.out):
            torch.manual_seed(seed)
            model = build_model(job.stage.model, job.settings)
            config = training_config_class(model.is_latent).from_json(job.training)
            found = estimate_training(model, budget.loader, config)
            rate = found.target_tokens / found.seconds_per_epoch
            rates.append(f"{job.stage.model} {rate:,.0f}")
            minutes += job.tokens / rate / 60
        total += minutes
        print(f"{row.name:14} {minutes:7.1f} minutes   target tokens/s: {', '.join(rates)}", flush=True)
    print(f"{'all':14} {total:7.1f} minutes a seed, one row at a time")


def _train_all(work: Sequence[Sequence[Job]], runner: Runner, parallel: int) -> list[str]:
    """Trains all rows, and returns a sentence for each that failed."""
    problems = []
    before = {
        number: signal.signal(number, lambda *_: runner.stop()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with ThreadPoolExecutor(parallel) as pool:
            for begun in [pool.submit(runner.run, jobs) for jobs in work]:
                try:
                    begun.result()
                except RowFailed as error:
                    problems.append(f"dailydialog: {error}")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return problems


def _compare(work: Sequence[Sequence[Job]], corpus: Path, arguments: argparse.Namespace) -> None:
    """Compares the rows of each seed; what was computed is kept, so this goes on, too."""
    for seed in arguments.seeds:
        runs = [f"{jobs[-1].row.name}={jobs[-1].folder}" for jobs in work if jobs[-1].seed == seed]
        out = arguments.out / f"report-seed{seed}"
        command = [
            sys.executable,
            "-m",
            "dialog",
            "compare",
            *runs,
            "--corpus",
            str(corpus),
            "--out",
            str(out),
        ]
        for decoder in arguments.decoders:
            command += ["--decoder", decoder]
        command += shlex.split(arguments.compare_options)
        if status := subprocess.run(command, check=False).returncode:
            sys.exit(f"dailydialog: hred compare ended with status {status}; above it says why")


def _say_results(work: Sequence[Sequence[Job]]) -> None:
    results = []
    for jobs in work:
        job = jobs[-1]
        label = f"{job.row.name}, seed {job.seed}"
        if not job.is_done:
            print(f"{label:24} not done; the same command goes on")
            continue
        known = json.loads((job.folder / DONE_FILE).read_bytes())
        starts = [json.loads((each.folder / DONE_FILE).read_bytes()) for each in jobs[:-1]]
        known["target_tokens"] += sum(each["target_tokens"] for each in starts)
        known["minutes"] += sum(each["minutes"] for each in starts)
        print(
            f"{label:24} {known['parameters']:11,} parameters, {known['target_tokens']:12,} target tokens, "
            f"{known['minutes']:6.1f} minutes, valid {known['best_nats_per_token']:.4f} nats a token "
            f"at update {known['best_update']} of {known['updates']}"
        )
        results.append({"name": label, "value": known["best_nats_per_token"], "unit": "nats/token", **known})
    print_result("dailydialog", None, results)


if __name__ == "__main__":
    main()
