"""`hred serve`: the page, on this machine, or with logins for others."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["serve"]


def serve(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Run folders, or names of shipped models; all shipped models when none is named."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 7860,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="Decode in 8-bit whole numbers: faster; `hred evaluate --int8` says what it costs."
        ),
    ] = False,
    max_rows: Annotated[
        int, typer.Option(min=1, help="Replies of a model that are decoded at once; further ones wait.")
    ] = 256,
    max_waiting: Annotated[
        int, typer.Option(min=1, help="Requests that may wait; further ones are told to try again.")
    ] = 1024,
    runs_folder: Annotated[
        Path | None,
        typer.Option(
            "--runs",
            help="The folder whose trainings the page lists, and into which it trains (HRED_RUNS_FOLDER).  "
            "[default: runs in the data folder]",
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="A name, besides the loopback's, by which the server is reached (HRED_HOSTS)."),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            help="An address or network of a proxy whose forwarded headers count (HRED_TRUSTED_PROXIES)."
        ),
    ] = None,
    require_login: Annotated[
        bool,
        typer.Option(
            "--require-login",
            help="Demand a login and keys on this machine's own address, too (HRED_REQUIRE_LOGIN=1); "
            "another address always does.",
        ),
    ] = False,
    allow_remote: Annotated[bool, typer.Option("--allow-remote", hidden=True)] = False,
) -> None:
    """Open the page: chat with the models, and compare them side by side.

    Chats are kept in the user's data folder; HRED_DATABASE_URL names another database.
    """
    from dialog.decoding.threads import let_waiting_threads_sleep

    let_waiting_threads_sleep()
    from app.access import Rules
    from app.bots import Bots
    from app.server import run_server
    from app.settings import Serving, Settings
    from dialog.errors import UsageError

    if allow_remote:
        raise UsageError(
            "--allow-remote is gone: an address that other machines reach now demands a login; make a user by "
            "`hred users add NAME`, and leave the option out"
        )
    rules = Rules.make(
        host, require_login=require_login, hosts=allowed_host or (), proxies=trusted_proxy or ()
    )
    serving = Serving(max_rows, max_waiting, int8=int8)
    settings = Settings.from_environment()
    if runs_folder is not None:
        settings = replace(settings, named_runs_folder=runs_folder.expanduser().absolute())
    run_server(Bots.of(runs or [], serving), settings, host, port, rules)
