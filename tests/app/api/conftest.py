"""Small, untrained models, served."""

from collections.abc import Iterator

import pytest

from app.bots import Bots
from app.settings import Serving
from tests.app.api.served import Served


@pytest.fixture(scope="module")
def served(api_folders) -> Iterator[Served]:
    running = Served(Bots(api_folders))
    yield running
    running.close()


@pytest.fixture
def crowded(api_folders) -> Iterator[Served]:
    """One reply at a time, and two requests that may wait."""
    running = Served(Bots(api_folders, Serving(max_rows=1, max_waiting=2)))
    yield running
    running.close()
