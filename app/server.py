"""The server of page and API: FastAPI around Gradio, and around both the guards of `app.access`."""

import os
import socket
import sys
import threading
from typing import Any

from app.access import GradioGate, Rules, guard
from app.bots import Bots
from app.settings import Settings
from app.starting import Watched, load_when_quiet, nothing_collected
from app.trainings import Trainings
from dialog.errors import UsageError

__all__ = ["make_server_app", "run_server"]

_KEPT_SECONDS = 3600.0
"""What models keep of a chat that does not go on, so that it is soon gone also on servers that did not delete it."""
_LOOK_SECONDS = 60.0
_UNREAD_MILLISECONDS = 60_000
"""A reader that takes nothing for so long loses its connection."""


def make_server_app(
    bots: Bots, database_url: str, rules: Rules | None = None, trainings: Trainings | None = None
) -> Any:
    """Returns the ASGI application: the API at `/api`, the page at `/`, its store at `database_url`.

    Args:
        bots: who replies.
        database_url: of the store.
        rules: who may reach it; everybody on this machine when None.
        trainings: that the page lists and starts; those of the environment's folder when None.

    Raises:
        StoreError: the store cannot be opened.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before Gradio is imported: nothing leaves this machine
    from app.store import Store, Stores, TemporaryStore

    rules = rules or Rules()
    store = Store.open(database_url)
    stores = Stores(store, TemporaryStore(bots.forget))
    if rules.requires_login and not store.users():
        print("nobody can log in yet; make a user: hred users add NAME", file=sys.stderr, flush=True)

    from fastapi import FastAPI

    from app.api import add_api
    from app.api.sessions import make_sessions_router
    from app.web.finding import finder
    from app.web.page import mount_page

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    add_api(app, bots, store)
    app.include_router(make_sessions_router(stores, finder(store)))
    return guard(_with_gate(mount_page(app, bots, store, stores.temporary, trainings)), rules, store)


def _with_gate(server: Any) -> Any:
    """Puts the gate between a FastAPI application and the Gradio that is mounted in it."""
    from starlette.routing import Mount

    (gradio,) = [route for route in server.routes if isinstance(route, Mount) and not route.path]
    gradio.app = GradioGate(gradio.app)
    return server


def run_server(bots: Bots, settings: Settings, host: str, port: int, rules: Rules | None = None) -> None:
    """Serves page and API until it is interrupted.

    Args:
        bots: who replies.
        settings: where the store and the trainings are.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        rules: who may reach it; those of the address and the environment when None.

    Raises:
        UsageError: the port is taken or the address is not this machine's.
        StoreError: the store cannot be opened.
    """
    rules = rules or Rules.make(host)
    listening = _listen(host, port)
    trainings = Trainings(settings.runs_folder, settings.database_url)
    with nothing_collected():
        app = Watched(make_server_app(bots, settings.database_url, rules, trainings))
    has_ended = threading.Event()
    threading.Thread(
        target=load_when_quiet, args=(bots, app, has_ended), name="load-models", daemon=True
    ).start()
    threading.Thread(target=_forget, args=(bots, has_ended), name="forget-states", daemon=True).start()

    import uvicorn

    place = "named by HRED_DATABASE_URL" if os.environ.get("HRED_DATABASE_URL") else str(settings.data_folder)
    address = f"http://{'[' + host + ']' if ':' in host else host}:{listening.getsockname()[1]}"
    print(
        f"{address}   ({', '.join(bots.names)}; chats are kept in the store {place}; Ctrl-C ends)", flush=True
    )
    # An open page holds a connection; at the end nobody waits for it. Forwarded headers are `app.access`'s matter.
    config = uvicorn.Config(
        app, log_level="warning", timeout_graceful_shutdown=2, proxy_headers=False, server_header=False
    )
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        has_ended.set()
        bots.close()
        if (name := trainings.running()) is not None:
            print(f"the training {name} goes on; the page of the next server shows it", flush=True)


def _forget(bots: Bots, has_ended: threading.Event) -> None:
    """Has the bots forget, until the server ends, what was not used for long."""
    while not has_ended.wait(_LOOK_SECONDS):
        bots.forget_unused(_KEPT_SECONDS)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; the connections inherit it
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MILLISECONDS)
    try:
        listening.bind((host, port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise UsageError(
            f"{host}:{port} cannot be listened on ({error.strerror}); try another port: "
            f"hred serve --port {port + 1 if port < 65535 else 7860}"
        ) from error
    return listening
