"""A JupyterLab that serves a copy of the course, and a browser that opens it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from chromium import CHROMIUM, FLAGS

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "screenshots"
needs_browser = pytest.mark.skipif(not CHROMIUM, reason="no Chromium or Chrome on this machine")


@contextmanager
def serve(folder):
    """Yields the address of a JupyterLab that serves a copy of the course in an empty folder."""
    skip = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=skip)
    (folder / "data").symlink_to(ROOT / "data")
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    whole_page = {"windowingMode": "none"}  # otherwise cells out of sight are not on the page
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps(whole_page))
    news = folder / "settings" / "@jupyterlab" / "apputils-extension"
    news.mkdir()
    (news / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}"]
    command += ["--ip=127.0.0.1", "--IdentityProvider.token=", "--allow-root"]
    command += ["--expose-app-in-browser"]  # so that a test can change the theme
    environment = {
        **os.environ,
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "RERANKING_MODELS": "bundled",
    }
    with open(folder / "log.txt", "w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    for _ in range(120):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=1)
            break
        except OSError:
            time.sleep(0.5)
    try:
        yield f"http://127.0.0.1:{port}/lab/tree/notebooks"
    finally:
        server.terminate()
        server.wait(20)


@contextmanager
def launch(folder):
    """Yields a browser that keeps what it knows in an empty folder."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(folder),
            executable_path=CHROMIUM,
            args=FLAGS,
            viewport={"width": 1280, "height": 900},
        )
        yield context
        context.close()


def open_and_run(browser, lab, name):
    """Returns the page of a notebook once all of its cells have run."""
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{lab}/{name}?reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.get_by_text("(ipykernel) | Idle").wait_for()  # before that, running does nothing
    page.locator("li.lm-MenuBar-item", has_text="Run").first.click()
    page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()
    counts = "[...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]"
    page.wait_for_function(f"() => {counts}.some(p => p.textContent.includes('*'))")
    page.wait_for_function(
        f"() => {counts}.every(p => /\\[\\d+\\]/.test(p.textContent))", timeout=300_000
    )
    errors = page.locator(".jp-RenderedText[data-mime-type*=stderr]").all_inner_texts()
    assert not errors, errors
    return page


def picture(page, locator, name):
    """Saves what a person sees of a lab, at 1280 and at 800 pixels."""
    PICTURES.mkdir(exist_ok=True)
    for width in (1280, 800):
        page.set_viewport_size({"width": width, "height": 900})
        locator.scroll_into_view_if_needed()
        page.wait_for_timeout(400)
        page.screenshot(path=PICTURES / f"{name}-{width}.png")
    page.set_viewport_size({"width": 1280, "height": 900})


def lab_box(page, title):
    """Returns the widget box of the lab with this title."""
    box = page.locator(".widget-vbox", has=page.locator("b", has_text=title)).first
    box.wait_for(state="attached")
    box.evaluate("box => box.scrollIntoView()")
    return box


def ask(box, text):
    """Types a query and presses Enter."""
    query = box.get_by_label("query", exact=True)
    query.fill(text)
    query.press("Enter")
