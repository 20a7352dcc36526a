"""Where a Chromium is, and how tests start it; `python -m tests.browser` fails if there is none."""

import os
import shutil
import subprocess
import sys

import pytest

__all__ = ["LAUNCH_ARGS", "chromium_path", "find_chromium"]

LAUNCH_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""Chromium runs as root in a container too, and asks nobody for news."""

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium_path() -> str:
    """Returns the Chromium to test with: HRED_CHROMIUM, else one of the system, else Playwright's own.

    Without any, the test fails, or is left out with HRED_ALLOW_MISSING=browser.
    """
    found = find_chromium()
    if found:
        return found
    if os.environ.get("HRED_ALLOW_MISSING") == "browser":
        pytest.skip("there is no Chromium here, and HRED_ALLOW_MISSING=browser leaves its tests out")
    named = os.environ.get("HRED_CHROMIUM")
    pytest.fail(
        (f"HRED_CHROMIUM names {named}, which is no program" if named else "there is no Chromium here")
        + "; run `make test`, which installs one, or leave its tests out with HRED_ALLOW_MISSING=browser"
    )


def find_chromium() -> str | None:
    """Returns the path of a Chromium, or None if there is none."""
    named = os.environ.get("HRED_CHROMIUM")
    if named:
        return shutil.which(named)
    return next(filter(None, map(shutil.which, _NAMES)), None) or _playwrights_own()


def _playwrights_own() -> str | None:
    # In a process of its own: Playwright cannot be started twice in one, and a test may have started it.
    code = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    path = done.stdout.strip()
    return path if path and os.path.exists(path) else None


if __name__ == "__main__":
    sys.exit(0 if find_chromium() else 1)
