"""`make chat` and `make test`: what they install, in which order, when again, and what they say where they cannot.

The installs are real in `make test` itself; here Python is a script that writes down how it was called, so that
what make decides can be seen without a network.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TORCH = next(x for x in (ROOT / "constraints.txt").read_text().splitlines() if x.startswith("torch=="))

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")

PYTHON = """#!/bin/sh
case "$*" in
*version_info*|*ensurepip*) exec {python} "$@" ;;
"-m venv"*) echo venv >>calls; mkdir -p .venv/bin; cp "$0" .venv/bin/python; cp hred .venv/bin/hred
            for tool in ruff mypy; do printf '#!/bin/sh\\necho %s "$@" >>calls\\n' $tool >.venv/bin/$tool
            chmod +x .venv/bin/$tool; done ;;
*) [ -e no-network ] && exit 1; echo "$@" | sed 's/-m pip --disable-pip-version-check/pip/' >>calls ;;
esac
"""


class Checkout:
    """A folder with the Makefile and a Python that only writes down what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Makefile", "constraints.txt", "pyproject.toml"):
            shutil.copy(ROOT / name, folder / name)
        self.script("python", PYTHON.format(python=sys.executable))
        self.script("hred", '#!/bin/sh\necho hred "$@" >>calls\n')

    def script(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def make(self, *arguments: str, python: str = "./python", **variables: str):
        (self.folder / "calls").write_text("")
        kept = (
            "MAKEFLAGS",
            "MFLAGS",
            "MAKELEVEL",
            "MAKEOVERRIDES",
            "PYTHON",
            "PORT",
            "HOST",
            "ARGS",
            "TORCH_INDEX",
            "WORKERS",
        )
        environment = {k: v for k, v in os.environ.items() if k not in kept} | variables
        command = ["make", *arguments, f"PYTHON={python}"]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300
        )

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    return Checkout(tmp_path)


APP = "pip install -c constraints.txt -e ."
SERVE = "hred serve --host 127.0.0.1 --port 7860"


def test_chat_installs_torch_first_then_the_rest_then_serves(checkout) -> None:
    assert checkout.make("chat").returncode == 0
    assert checkout.calls == ["venv", f"pip install {TORCH}", APP, SERVE]


def test_a_second_chat_installs_nothing(checkout) -> None:
    checkout.make("chat")
    (checkout.folder / "no-network").touch()
    assert checkout.make("chat").returncode == 0
    assert checkout.calls == [SERVE]


def test_torch_comes_from_the_index_that_was_asked_for(checkout) -> None:
    checkout.make("chat", "TORCH_INDEX=https://example.org/cpu")
    assert checkout.calls[1] == f"pip install --index-url https://example.org/cpu {TORCH}"
    assert checkout.calls[2] == APP


def test_port_host_and_arguments_reach_the_command(checkout) -> None:
    checkout.make("chat", "PORT=8000", "HOST=::1", "ARGS=runs/a runs/b")
    assert checkout.calls[-1] == "hred serve --host ::1 --port 8000 runs/a runs/b"


def test_an_install_that_was_cut_off_is_done_again(checkout) -> None:
    (checkout.folder / "no-network").touch()
    failed = checkout.make("chat")
    assert failed.returncode != 0
    assert not any(call.startswith("hred") for call in checkout.calls)
    (checkout.folder / "no-network").unlink()
    assert checkout.make("chat").returncode == 0
    assert checkout.calls == [f"pip install {TORCH}", APP, SERVE]


def test_a_package_that_was_cut_off_is_forgotten_before_pip_sees_it(checkout) -> None:
    """pip killed between a package's metadata and its commands would call it installed ever after."""
    checkout.make("chat")
    packages = checkout.folder / ".venv/lib/python3.11/site-packages"
    for name in ("whole", "half"):
        (packages / f"{name}-1.dist-info").mkdir(parents=True)
        (packages / f"{name}-1.dist-info/METADATA").touch()
    (packages / "whole-1.dist-info/INSTALLER").write_text("pip\n")
    done = checkout.make("test")
    assert done.returncode == 0
    assert "half-1.dist-info was cut off" in done.stdout
    assert [path.name for path in packages.iterdir()] == ["whole-1.dist-info"]


@pytest.mark.parametrize(
    ("changed", "again"),
    [("pyproject.toml", [APP, SERVE]), ("constraints.txt", [f"pip install {TORCH}", APP, SERVE])],
)
def test_what_was_changed_is_installed_again(checkout, changed, again) -> None:
    checkout.make("chat")
    later = (checkout.folder / ".venv/stamps/app").stat().st_mtime + 10
    os.utime(checkout.folder / changed, (later, later))
    for path in (checkout.folder / ".venv/stamps").iterdir():
        os.utime(path, (later - 5, later - 5))
    assert checkout.make("chat").returncode == 0
    assert checkout.calls == again


def test_test_adds_to_what_chat_installed_and_chat_keeps_it(checkout) -> None:
    checkout.make("chat")
    assert checkout.make("test").returncode == 0
    assert checkout.calls == [
        "pip install -c constraints.txt -e .[dev]",
        "-m tests.browser",
        "ruff check .",
        "ruff format --check .",
        "mypy",
        "-m pytest -n 2 --dist worksteal",
    ]
    checkout.make("chat")
    assert checkout.calls == [SERVE]


def test_an_environment_that_is_there_and_works_is_kept(checkout) -> None:
    """Such as one made by the README's plain commands."""
    checkout.make("chat")
    shutil.rmtree(checkout.folder / ".venv/stamps")
    checkout.script(".venv/bin/python", PYTHON.format(python=sys.executable))
    assert checkout.make("chat").returncode == 0
    assert checkout.calls == [f"pip install {TORCH}", APP, SERVE]


def test_an_environment_that_is_broken_is_made_anew(checkout) -> None:
    (checkout.folder / ".venv/bin").mkdir(parents=True)
    checkout.script(".venv/bin/python", "#!/bin/sh\nexit 1\n")
    assert checkout.make("chat").returncode == 0
    assert checkout.calls[0] == "venv"


OLD = '#!/bin/sh\n[ "$1" = --version ] && { echo Python 3.8.1; exit; }\nexit 1\n'


def tools_without_python(folder: Path) -> str:
    """Returns a PATH with what recipes use, and no Python."""
    tools = folder / "tools"
    tools.mkdir()
    for name in ("sh", "make", "echo", "tail", "head", "grep", "sed", "cp", "mkdir", "touch", "chmod", "id"):
        found = shutil.which(name)
        if found:
            (tools / name).symlink_to(found)
    return str(tools)


def test_an_old_python_is_one_sentence_that_helps(checkout) -> None:
    checkout.script("python", OLD)
    failed = checkout.make("chat", PATH=tools_without_python(checkout.folder))
    assert failed.returncode != 0
    sentence, *rest = failed.stderr.splitlines()
    assert "no Python 3.11 or later (Python 3.8.1)" in sentence
    assert "make chat PYTHON=/path/to/python3.12" in sentence
    assert len(rest) == 1  # make's own "Error 1"
    assert checkout.calls == []


def test_a_newer_python_beside_an_old_one_is_taken(checkout) -> None:
    path = tools_without_python(checkout.folder)
    checkout.script("tools/python3.12", PYTHON.format(python=sys.executable))
    checkout.script("python", OLD)
    assert checkout.make("chat", PATH=path).returncode == 0
    assert checkout.calls[0] == "venv"


def test_a_missing_venv_module_is_one_sentence_that_helps(checkout) -> None:
    checkout.script(
        "python", PYTHON.format(python=sys.executable).replace("in\n", "in\n*ensurepip*) exit 1 ;;\n", 1)
    )
    failed = checkout.make("test")
    assert failed.returncode != 0
    version = ".".join(map(str, sys.version_info[:2]))
    assert f"apt-get install python{version}-venv && make test" in failed.stderr.splitlines()[0]
    assert checkout.calls == []


def test_ci_runs_make_test_from_anywhere_and_never_lets_anything_be_missing(checkout, tmp_path) -> None:
    (checkout.folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", checkout.folder / ".ci/run")
    tools = checkout.folder / "tools"
    tools.mkdir()
    checkout.script("tools/make", '#!/bin/sh\necho "$PWD $* [$HRED_ALLOW_MISSING]"\n')
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "HRED_ALLOW_MISSING": "browser"}
    done = subprocess.run(
        [checkout.folder / ".ci/run"], cwd="/", env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip() == f"{checkout.folder} test []"


def test_results_print_every_file_of_sums_or_the_one_that_is_named(checkout) -> None:
    failed = checkout.make("results")
    assert failed.returncode != 0
    assert "there are no results in docs/results/*" in failed.stderr
    folder = checkout.folder / "docs/results"
    folder.mkdir(parents=True)
    for name in ("one", "two"):
        (folder / f"{name}.statistics.json.gz").touch()
    assert checkout.make("results").returncode == 0
    prints = [f"hred compare --from docs/results/{name}.statistics.json.gz" for name in ("one", "two")]
    assert checkout.calls == prints
    checkout.make("results", "RESULTS=two")
    assert checkout.calls == prints[1:]


def test_the_benchmark_needs_a_corpus_that_is_named(checkout) -> None:
    failed = checkout.make("benchmark")
    assert failed.returncode != 0
    assert "name the corpus" in failed.stderr
    assert checkout.make("benchmark", "DAILYDIALOG=a/corpus", "ARGS=--seeds 1 2").returncode == 0
    assert checkout.calls == ["benchmarks/dailydialog.py a/corpus --seeds 1 2"]
