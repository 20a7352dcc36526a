"""`hred prepare --engine dask` with two workers on this machine makes what one process makes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed")


def hred(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dialog", "prepare", *map(str, arguments), "--vocabulary-size", "300"]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, cwd=Path(__file__).parents[3]
    )


def test_two_workers_make_what_one_process_makes(tmp_path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for name, first in (("a", 0), ("b", 30)):
        turns = [
            [{"speaker": "AB"[i % 2], "text": f"word{n} and {i}"} for i in range(4)]
            for n in range(first, first + 40)
        ]
        (logs / f"{name}.jsonl").write_text("\n".join(json.dumps({"turns": each}) for each in turns))
    for out, engine in (("one", ()), ("two", ("--engine", "dask", "--workers", 2))):
        done = hred(logs, "--out", tmp_path / out, *engine)
        assert done.returncode == 0, done.stderr
        assert "kept\t70" in done.stdout
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "one", "two"]
    done = hred(logs / "none", "--out", tmp_path / "three", "--engine", "dask", "--workers", 1)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].endswith("does not exist: check the path")
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "one", "two"]
