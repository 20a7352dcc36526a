"""A store of its own for each test, in a file or on PostgreSQL, and a reply with every field set."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.store import Store
from dialog.decoding.replies import Reply, Sampling
from tests.app.store.databases import new_database, running_server

BOTH = pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
"""Marks tests that hold for every database."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sessions.db"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture
def url(request: pytest.FixtureRequest, path: Path) -> Iterator[str]:
    """The URL of a store that is not there yet; SQLite's unless the test names another database."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield f"sqlite:///{path}"
        return
    with new_database(request.getfixturevalue("server")) as made:
        yield made


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened


@pytest.fixture
def owner(store: Store) -> str:
    return store.owner_for("the cookie of one browser")


@pytest.fixture
def make_reply() -> Callable[..., Reply]:
    reply = Reply(
        text=" <b>fine</b>,\n謝謝 👋 &amp; you? ",
        tokens=(5, 0, 7999, 2),
        ended="stop",
        log_probability=-12.300000000000001,
        filtered_log_probability=-1e-300,
        latent=(0.1, -2.5e-8, 3.0),
        seed=2**64 - 1,
        index=3,
        sampling=Sampling("sample", temperature=0.7, top_k=40, top_p=0.9, max_tokens=17, stop=("\n", "終")),
        model_hash="a1" * 32,
        context_hash="b2" * 32,
        scores={"beam": -1.25, "z": 3.0},
    )

    def make(**changes: Any) -> Reply:
        return replace(reply, **changes)

    return make
