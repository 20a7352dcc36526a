"""Where a Chromium is, and how tests start it."""

import os
import shutil

import pytest

__all__ = ["LAUNCH_ARGS", "chromium_path"]

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
    named = os.environ.get("HRED_CHROMIUM")
    if named:
        found = shutil.which(named)
        if found is None:
            pytest.fail(f"HRED_CHROMIUM names {named}, which is no program; unset it or name a Chromium")
        return found
    for name in _NAMES:
        found = shutil.which(name)
        if found:
            return found
    found = _playwrights_own()
    if found:
        return found
    if os.environ.get("HRED_ALLOW_MISSING") == "browser":
        pytest.skip("there is no Chromium here, and HRED_ALLOW_MISSING=browser leaves its tests out")
    pytest.fail("there is no Chromium here; run `make test`, which installs one, or set HRED_ALLOW_MISSING=browser")


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.path.exists(path) else None
