"""The notebooks in a real browser: all cells run, and the labs used as a person would."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "screenshots"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
FLAGS += "--disable-background-networking --disable-component-update"

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium or Chrome on this machine")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Returns the address of a JupyterLab that serves a copy of the course."""
    folder = tmp_path_factory.mktemp("course")
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
    yield f"http://127.0.0.1:{port}/lab/tree/notebooks"
    server.terminate()
    server.wait(20)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("browser")),
            executable_path=CHROMIUM,
            args=FLAGS.split(),
            viewport={"width": 1280, "height": 900},
        )
        yield context
        context.close()


def open_and_run(browser, lab, name):
    """Returns the page of a notebook once all of its cells have run."""
    page = browser.new_page()
    page.set_default_timeout(60_000)
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
    assert page.locator(".jp-RenderedText[data-mime-type*=stderr]").count() == 0
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


def test_notebook_1_runs_and_its_search_lab_answers(browser, lab):
    page = open_and_run(browser, lab, "01_bi_encoder.ipynb")
    box = lab_box(page, "Search lab")
    query = box.locator("input[type=text]").first
    query.fill("ranking by bag of words")
    query.press("Enter")
    first = box.locator("tbody tr").first
    first.get_by_text("BM25").wait_for()
    box.locator("select").first.select_option("my own text")
    box.locator("textarea").fill("Cats sleep all day.\n\nDogs want to go out.")
    box.get_by_role("button", name="Load").click()
    box.get_by_text("my own text: 2 passages").wait_for()
    query.fill("feline rest")
    query.press("Enter")
    first.get_by_text("Cats sleep").wait_for()
    picture(page, box, "01-search-lab")
    page.close()


def test_notebook_2_runs_and_its_labs_answer(browser, lab):
    page = open_and_run(browser, lab, "02_cross_encoder.ipynb")
    box = lab_box(page, "Reranking lab")
    assert box.locator("svg line").count() == 10
    query = box.locator("input[type=text]").first
    query.fill("what does a reranker do")
    query.press("Enter")
    box.locator("svg + div", has_text="Reranking refines").wait_for()
    picture(page, box, "02-reranking-lab")
    probe = lab_box(page, "Probe lab")
    probe.locator("select").select_option("negation 1")
    probe.locator("tbody tr").nth(1).wait_for()
    picture(page, probe, "02-probe-lab")
    quiz = lab_box(page, "Quiz")
    quiz.locator("input[type=radio]").nth(1).click()
    quiz.get_by_text("1 of 4 right").wait_for()
    page.close()
