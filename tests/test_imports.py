"""The law of imports: they fall one way, and each library stands in one place."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LEAVES = {"errors", "conversation"}
"""May be imported everywhere."""

MAY_IMPORT = {
    "errors": set(),
    "conversation": {"errors"},
    "text": LEAVES,
    "corpus": LEAVES | {"text"},
    "layers": LEAVES | {"text"},
    "models": LEAVES | {"text", "layers"},
    "run_folder": LEAVES | {"text", "layers", "models"},
    "decoding": LEAVES | {"text", "layers", "models", "run_folder"},
    "evaluation": LEAVES | {"text", "layers", "models", "run_folder", "decoding"},
    # Training validates with the likelihood that `hred evaluate` reports: there is one of it.
    "training": LEAVES | {"text", "layers", "models", "run_folder", "decoding", "evaluation"},
}
"""What each part of `dialog` may import of the others."""

STANDS_IN = {
    "gradio": ("app/web/",),
    "fastapi": ("app/api/", "app/server.py"),
    "starlette": ("app/api/", "app/server.py"),
    "uvicorn": ("app/api/", "app/server.py"),
    "sqlalchemy": ("app/store/",),
    "alembic": ("app/store/",),
    "gensim": ("dialog/training/word_vectors.py",),
    "typer": ("app/cli/",),
    "click": ("app/cli/",),
}
"""Where a library may be imported."""

THE_EXCEPTION = "dialog/__main__.py"
"""`python -m dialog` is `hred`: the one file of `dialog` that imports `app`."""


def sources() -> list[str]:
    return [str(p.relative_to(ROOT)) for folder in ("dialog", "app") for p in (ROOT / folder).rglob("*.py")]


def imports(path: str, source: str) -> Iterator[str]:
    """Yields the full name of everything that a file imports, anywhere in it."""
    package = Path(path).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def breaches(path: str, source: str) -> list[str]:
    """Returns a sentence for each import of a file that the law forbids."""
    found = []
    for name in imports(path, source):
        first, *rest = name.split(".")
        places = STANDS_IN.get(first)
        if places and not path.startswith(places):
            found.append(f"{path} imports {name}, which stands in {' and '.join(places)} alone")
        if not path.startswith("dialog/") or path == THE_EXCEPTION:
            continue
        if first == "app":
            found.append(f"{path} imports {name}; imports fall from app to dialog")
        part = Path(path).parts[1].removesuffix(".py")
        if (
            first == "dialog"
            and part in MAY_IMPORT
            and rest[0] not in MAY_IMPORT[part] | {part, "__version__"}
        ):
            found.append(f"{path} imports {name}; {part} may import {sorted(MAY_IMPORT[part])}")
    return found


@pytest.mark.parametrize("path", sources())
def test_imports_keep_the_law(path) -> None:
    assert breaches(path, (ROOT / path).read_text(encoding="utf-8")) == []


def test_every_part_of_dialog_has_its_place_in_the_law() -> None:
    parts = {Path(path).parts[1].removesuffix(".py") for path in sources() if path.startswith("dialog/")}
    assert parts - {"__init__", "__main__"} == set(MAY_IMPORT)


def test_models_do_not_import_each_other() -> None:
    siblings = {"seq2seq", "hred", "vhred", "vhcr", "transformer", "window", "autoencoder", "vae"}
    for model in siblings:
        path = f"dialog/models/{model}.py"
        names = {
            name.split(".")[2]
            for name in imports(path, (ROOT / path).read_text())
            if "dialog.models." in name
        }
        assert not names & (siblings - {model}), model


def loads(module: str, seen: set[str]) -> set[str]:
    """Returns what importing a module of ours imports at once: each file's imports outside of functions."""
    for name in [".".join(module.split(".")[:length]) for length in range(1, module.count(".") + 2)]:
        place = ROOT / name.replace(".", "/")
        path = next(
            (path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file()), None
        )
        if name in seen or (path is None and name.split(".")[0] in ("app", "dialog")):
            continue
        seen.add(name)
        if path is not None:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            tree.body = [
                node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.If)
            ]
            for imported in imports(str(path.relative_to(ROOT)), ast.unparse(tree)):
                loads(imported, seen)
    return seen


def test_the_page_is_there_before_torch_is() -> None:
    assert "torch" in loads("dialog.decoding.engine", set())
    served = set.union(
        *(loads(name, set()) for name in ("app.server", "app.api", "app.api.sessions", "app.web.page"))
    )
    assert {"gradio", "fastapi", "sqlalchemy", "app.web.chat_tab", "app.api.pending"} <= served
    assert "torch" not in served


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("dialog/text/tokenizer.py", "import app.store"),
        ("dialog/errors.py", "from app import settings"),
        ("dialog/layers/gru.py", "from dialog.models import hred"),
        ("dialog/layers/gru.py", "from ..models import hred"),
        ("dialog/decoding/replier.py", "def f():\n    from dialog.training.trainer import Trainer"),
        ("dialog/corpus/pool.py", "import dialog.layers.gru"),
        ("dialog/text/batches.py", "import sqlalchemy"),
        ("app/web/chats.py", "from sqlalchemy import orm"),
        ("app/bots.py", "if True:\n    import gradio as gr"),
        ("app/cli/serve.py", "import uvicorn"),
        ("app/cli/embed.py", "from gensim.models import Word2Vec"),
        ("app/settings.py", "import typer.testing"),
    ],
)
def test_a_breach_is_found(path, source) -> None:
    assert breaches(path, source)


@pytest.mark.parametrize(
    "module",
    [
        "dialog",
        "app.cli.main",
        "dialog.__main__",
        "dialog.models.registry",
        "app.shipped",
        "app.bots",
        "app.store",
    ],
)
def test_importing_it_loads_nothing_heavy(module) -> None:
    """A command that needs no model must answer at once."""
    code = f"import sys, {module}; print(*{{'torch', 'gradio', 'pyarrow', 'pandas'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
