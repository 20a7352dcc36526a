"""The wheel: it has every package and the shipped models, and `hred` answers from it in an empty folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from app.shipped import for_language, run_path, shipped_models
from dialog import __version__
from dialog.errors import RunFolderError

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SHIPPED = [
    path.name for path in sorted((ROOT / "data/models").iterdir()) if (path / "manifest.json").is_file()
]


def run(*command: object, **options) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=300, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Builds the wheel without the network, from a copy: building leaves things behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("dialog", "app", "data"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    pip = (sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "wheel", "--no-index")
    run(*pip, "--no-build-isolation", "--no-deps", "--wheel-dir", out, source)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """Installs the wheel into a venv that sees this one's libraries, but not the checkout; returns its `bin`."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=False)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / Path(sys.executable).name
    purelib = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
    # The folder alone: .pth files in it, such as an editable install's, are not followed.
    (Path(purelib) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = (sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--python", python)
    run(*pip, "install", "--no-index", "--no-deps", "--ignore-installed", wheel)
    return scripts


@pytest.fixture
def outside(tmp_path) -> dict[str, object]:
    """Options of a process in an empty folder that knows nothing of the checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {"cwd": tmp_path, "env": environment}


def test_every_package_is_named() -> None:
    """The list stands in pyproject.toml by hand; a package that is forgotten there is missing in the wheel."""
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in ("app", "dialog")
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found | {"app.data"}


def test_every_folder_with_code_is_a_package() -> None:
    for top in ("app", "dialog"):
        for path in (ROOT / top).rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), path


def test_data_holds_no_code() -> None:
    assert [
        path for path in (ROOT / "data").rglob("*") if path.suffix in (".py", ".pkl", ".pt", ".bin")
    ] == []


def test_the_version_is_said_once() -> None:
    assert PROJECT["project"]["version"] == __version__


def test_constraints_name_exactly_one_version_of_what_is_needed() -> None:
    lines = [x for x in (ROOT / "constraints.txt").read_text().splitlines() if x and not x.startswith("#")]
    pinned = [line.split("==")[0].lower().replace("_", "-") for line in lines]
    assert all("==" in line and "+" not in line and "@" not in line for line in lines)
    assert len(set(pinned)) == len(pinned)
    project = PROJECT["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    assert {need.split(">")[0].partition("[")[0] for need in wanted} <= set(pinned)


def test_the_wheel_holds_the_code_and_the_shipped_models(wheel) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    code = {str(p.relative_to(ROOT)) for top in ("app", "dialog") for p in (ROOT / top).rglob("*.py")}
    assert code <= names
    assert "app/data/README.md" in names
    for model in SHIPPED:
        for path in (ROOT / "data/models" / model).iterdir():
            assert f"app/data/models/{model}/{path.name}" in names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"app", "dialog"}


def test_hred_runs_from_an_empty_folder(installed, outside) -> None:
    assert run(installed / "hred", "--version", **outside).stdout == f"hred {__version__}\n"
    code = "import app, dialog, app.shipped as s; print(app.__file__, dialog.__file__, *s.shipped_models())"
    app_file, dialog_file, *models = run(installed / "python", "-c", code, **outside).stdout.split()
    for path in (app_file, dialog_file):
        assert Path(path).is_relative_to(installed.parent)  # the installed one, not the checkout
    assert sorted(models) == SHIPPED
    assert list(Path(str(outside["cwd"])).iterdir()) == []  # nothing is left in the user's folder


def test_the_installed_package_has_the_conversations_that_the_demo_trains_on(installed, outside) -> None:
    code = "from app.shipped import shipped_conversations as s\nfor each in 'en', 'ja': print(s(each))"
    for folder in run(installed / "python", "-c", code, **outside).stdout.splitlines():
        assert Path(folder).is_relative_to(installed.parent)
        names = sorted(path.name for path in Path(folder).glob("*.txt"))
        assert names == sorted(
            path.name for path in (ROOT / "data/conversations" / Path(folder).name).glob("*.txt")
        )


@pytest.mark.skipif("hred" not in SHIPPED, reason="no trained model is in data/models yet")
def test_the_installed_hred_replies_as_the_checkout_does(installed, outside) -> None:
    arguments = ("reply", "hred", "--context", "hi", "-n", "2", "--seed", "1")
    replies = run(installed / "hred", *arguments, **outside).stdout
    assert len(replies.splitlines()) == 2
    assert replies == run(sys.executable, "-m", "dialog", *arguments, cwd=ROOT).stdout


def test_shipped_models_come_in_the_order_they_grow(tmp_path) -> None:
    order = [name for name in ("seq2seq", "hred", "vhred") if name in SHIPPED]
    assert list(shipped_models())[: len(order)] == order


def test_models_for_a_language_are_all_but_the_shipped_ones_of_another(monkeypatch) -> None:
    shipped = ["seq2seq", "hred", "seq2seq-ja", "hred-ja"]
    monkeypatch.setattr("app.shipped.shipped_models", lambda: dict.fromkeys(shipped, Path("run")))
    assert for_language([*shipped, "mine"], "ja") == ["seq2seq-ja", "hred-ja", "mine"]
    assert for_language([*shipped, "mine"], "en") == ["seq2seq", "hred", "mine"]
    assert for_language(["hred"], "ja") == ["hred"]
    assert for_language(["hred", "hred-ja"], "ja") == ["hred-ja"]
    assert for_language(["hred", "hred-ja"], "ja", at_least=2) == ["hred", "hred-ja"]


def test_a_folder_goes_before_a_shipped_model(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hred").mkdir()
    assert run_path("hred") == Path("hred")
    with pytest.raises(RunFolderError, match="no-such-run is no folder and no shipped model"):
        run_path("no-such-run")
