"""While replies are decoded, waiting threads give their processor away; the user's own wish comes first."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from app.cli.main import main
sys.argv = ["hred", "{command}", "nowhere"]
assert "torch" not in sys.modules
try:
    main()
except SystemExit:
    pass
print(os.environ.get("OMP_WAIT_POLICY"))
"""


@pytest.mark.parametrize(
    ("command", "wish"), [("reply", None), ("reply", "ACTIVE"), ("chat", None), ("serve", None)]
)
def test_commands_that_reply_let_waiting_threads_sleep(command, wish):
    program = PROGRAM.format(command=command).replace(
        '"nowhere"', '"nowhere", "--context", "a"' if command == "reply" else '"nowhere"'
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    if wish:
        environment["OMP_WAIT_POLICY"] = wish
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert run.stdout.splitlines()[-1] == (wish or "PASSIVE"), run.stderr
