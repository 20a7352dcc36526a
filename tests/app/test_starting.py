"""A page stands before its models are loaded: they wait until it has been read, but not for ever."""

import asyncio
import gc
import threading
import time

import pytest

from app import starting
from app.bots import Bots
from app.starting import Watched, load_when_quiet, nothing_collected


class Watching(Bots):
    """Bots that note when they are loaded."""

    def __init__(self, app=None):
        super().__init__({})
        self.app = app
        self.loaded_at = self.quiet_seconds = None

    def load_all(self):
        self.loaded_at = time.monotonic()
        self.quiet_seconds = self.app and self.app.quiet_seconds()


async def answered(scope, receive, send):
    pass


def ask(app, kind="http"):
    asyncio.run(app({"type": kind}, None, None))


@pytest.fixture
def bots():
    return Watching()


def begin(bots, app, has_ended):
    thread = threading.Thread(target=load_when_quiet, args=(bots, app, has_ended), daemon=True)
    thread.start()
    return thread


def test_models_are_loaded_once_nobody_asks_for_a_while(monkeypatch):
    monkeypatch.setattr(starting, "_QUIET_SECONDS", 0.2)
    monkeypatch.setattr(starting, "_LONGEST_WAIT", 600.0)
    app = Watched(answered)
    bots = Watching(app)
    began = time.monotonic()
    thread = begin(bots, app, threading.Event())
    for _ in range(20):
        ask(app)
        time.sleep(0.02)
    thread.join(60)
    assert bots.loaded_at is not None and bots.quiet_seconds >= 0.2 and bots.loaded_at - began >= 0.2


def test_models_are_loaded_though_nobody_comes(bots, monkeypatch):
    monkeypatch.setattr(starting, "_LONGEST_WAIT", 0.1)
    app = Watched(answered)
    ask(app, "lifespan")
    assert app.quiet_seconds() is None
    begin(bots, app, threading.Event()).join(60)
    assert bots.loaded_at is not None


def test_nothing_is_loaded_by_a_server_that_has_ended(bots):
    has_ended = threading.Event()
    has_ended.set()
    load_when_quiet(bots, Watched(answered), has_ended)
    assert bots.loaded_at is None


def test_collection_goes_on_afterwards(monkeypatch):
    monkeypatch.setattr(gc, "freeze", lambda: None)  # what other tests made is still collected
    with nothing_collected():
        assert not gc.isenabled()
    assert gc.isenabled()
