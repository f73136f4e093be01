"""Looks at the site in a browser: check_site.py FOLDER [PICTURES]

Each page is opened as a file at 1280 and at 800 pixels. Fails if a page asks for anything outside
the folder, if a script reports an error, if a page is wider than the window, if a picture is
missing, or if the search does not find a word that stands on a page.
"""

import sys
from pathlib import Path

from chromium import CHROMIUM, FLAGS

STATE = """() => ({
    wide: document.documentElement.scrollWidth - innerWidth,
    missing: [...document.images].filter((i) => i.complete && !i.naturalWidth).map((i) => i.src),
    outputs: document.querySelectorAll(".cell_output").length,
    cut: [...document.querySelectorAll(".cell_output, .cell_output table, .cell_output img")]
        .filter((part) => part.getBoundingClientRect().right > innerWidth).length,
})"""


def look(browser, path, home, width, pictures=None):
    """Returns what a page shows at a width, and what is wrong with it, as a list of texts."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked, wrong = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(path.as_uri(), wait_until="load", timeout=120_000)
    state = page.evaluate(STATE)
    wrong += [f"asks for {url}" for url in asked if not url.startswith((home.as_uri(), "data:"))]
    wrong += [f"no picture {url}" for url in state["missing"]]
    if state["wide"] > 0:
        wrong.append(f"{state['wide']} pixels too wide")
    if pictures:
        name = "_".join(path.relative_to(home).with_suffix("").parts)
        page.screenshot(path=Path(pictures) / f"{name}_{width}.png")
    page.close()
    return state, wrong


def search(browser, home, word):
    """Returns the titles that the search of the site finds for a word."""
    page = browser.new_page()
    page.goto(f"{(home / 'search.html').as_uri()}?q={word}")
    page.wait_for_selector("#search-results ul.search li a", timeout=60_000)
    titles = page.locator("#search-results ul.search li a").all_inner_texts()
    page.close()
    return titles


def main(folder, pictures=None):
    from playwright.sync_api import sync_playwright

    home, failures = Path(folder).resolve(), []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for path in sorted([home / "README.html", *home.glob("[dn]*/**/*.html")]):
            for width in (1280, 800):
                state, wrong = look(browser, path, home, width, pictures)
                failures += [f"{path.name} at {width}: {text}" for text in wrong]
            name = path.relative_to(home)
            print(f"{name}: {state['outputs']} outputs, {state['cut']} wider than 800 pixels")
        for word in ("occlusion", "interleaving"):
            titles = search(browser, home, word)
            print(f"search for {word}: {titles}")
            assert titles, word
        browser.close()
    assert not failures, "\n".join(failures)


if __name__ == "__main__":
    main(*sys.argv[1:])
