"""What the last bits depend on is settled, told when it changed, and left as it was found."""

import os
import subprocess
import sys

import pytest
import torch

from dialog.training.reproducibility import (
    VARIABLES,
    changed_conditions,
    conditions,
    exact_arithmetic,
    set_variables,
)


def test_only_what_differs_is_told_in_one_sentence() -> None:
    now = conditions()
    assert now["threads"] == torch.get_num_threads()
    assert changed_conditions(now, now) is None
    assert changed_conditions({}, now) is None  # a checkpoint of an earlier version
    sentence = changed_conditions({**now, "threads": 99, "torch": "2.0.1"}, now)
    assert sentence is not None and "\n" not in sentence
    assert f"threads 99 then, {now['threads']} now" in sentence
    assert "torch 2.0.1 then" in sentence
    assert "numpy" not in sentence


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU torch is left as it is")
def test_arithmetic_is_exact_as_long_as_it_is_asked_for() -> None:
    before = conditions()
    with exact_arithmetic():
        assert conditions()["deterministic algorithms"] == "on"
        with exact_arithmetic():
            pass
        assert conditions()["deterministic algorithms"] == "on"
    assert conditions() == before


def test_a_variable_that_is_set_stays_as_it_is(monkeypatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "COMPATIBLE")
        set_variables()
        assert os.environ[name] == "COMPATIBLE"
        monkeypatch.delenv(name)
        set_variables()
        assert os.environ[name] == VARIABLES[name]


def test_the_command_settles_it_before_torch_is_imported() -> None:
    """The first import of torch in `hred train` finds the variables set."""
    program = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("MKL_CBWR"))
            os._exit(0)
sys.meta_path.insert(0, Watch())
from app.cli.main import main
sys.argv = ["hred", "train", "nowhere", "--out", "nowhere-else"]
main()
"""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip() == VARIABLES["MKL_CBWR"], done.stderr
