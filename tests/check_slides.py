"""Looks at every slide in a browser: check_slides.py FOLDER [PICTURES]

Each page of the folder is opened as a file in a window of 1280 x 720, and every slide is visited.
Fails if a page asks for anything outside the folder, if a script reports an error, or if a formula
is not set. Reports how many slides had to be made smaller, and which ones scroll.
"""

import sys
from pathlib import Path

from chromium import CHROMIUM, FLAGS

STATE = """() => {
    const slide = Reveal.getCurrentSlide(), {h, v} = Reveal.getIndices();
    const box = slide.getBoundingClientRect();
    const kinds = "p, pre, td, li, img, h1, h2, h3, .celltag_lab *";
    const shown = [...slide.querySelectorAll(kinds)];
    const parts = shown.filter((part) => part.offsetParent).map((p) => p.getBoundingClientRect());
    return {
        where: `${h + 1}.${v + 1}`, ready: slide.dataset.ready, percent: +slide.dataset.percent,
        scrolls: slide.classList.contains("scrolls"), last: Reveal.isLastSlide(),
        below: Math.max(0, ...parts.map((p) => p.bottom)) - innerHeight,
        right: Math.max(0, ...parts.map((p) => p.right)) - innerWidth, parts: parts.length,
        formulas: slide.querySelectorAll("mjx-container").length,
        raw: [...slide.querySelectorAll("p, li")].some((p) => /\\$\\S[^$]*\\$/.test(p.textContent)),
    };
}"""


def visit(browser, path, pictures=None):
    """Returns (the state of each slide, addresses outside the folder, errors of scripts)."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    asked, failed, errors, slides = [], [], [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.resolve().as_uri())
    while True:
        ready = "() => window.Reveal?.isReady() && Reveal.getCurrentSlide().dataset.ready"
        page.wait_for_function(ready, timeout=60_000)
        while page.evaluate("Reveal.availableFragments().next"):
            page.evaluate("Reveal.nextFragment()")
        slides.append(page.evaluate(STATE))
        if pictures:
            page.screenshot(path=pictures / f"{path.stem}-{slides[-1]['where']}.png")
        if slides[-1]["last"]:
            break
        page.evaluate("Reveal.next()")
    page.close()
    home = path.resolve().parent.as_uri()
    outside = [url for url in asked if not url.startswith((home, "data:", "blob:", "about:"))]
    errors += [f"not loaded: {url}" for url in failed if url.startswith(home)]
    return slides, outside, errors


def report(path, slides):
    """Prints what was measured on the slides of a page."""
    smaller = [slide for slide in slides if slide["percent"] < 100]
    least = min(slide["percent"] for slide in slides)
    formulas = sum(slide["formulas"] for slide in slides)
    print(
        f"{path.name}: {len(slides)} slides, {len(smaller)} made smaller (down to {least} %), "
        f"{formulas} formulas"
    )
    for slide in slides:
        if slide["scrolls"]:
            print(f"  {slide['where']} scrolls: {slide['below']:.0f} pixels below the window")


def main(folder, pictures=None):
    from playwright.sync_api import sync_playwright

    if not CHROMIUM:
        print("The slides were not looked at: no Chromium or Chrome on this machine.")
        return
    pictures = pictures and Path(pictures)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for path in sorted(Path(folder).glob("0*.html")):
            slides, outside, errors = visit(browser, path, pictures)
            report(path, slides)
            assert not outside, f"{path.name} asks for {outside}"
            assert not errors, f"{path.name}: {errors}"
            assert not any(slide["raw"] for slide in slides), f"{path.name}: a formula is not set"
            assert all(slide["right"] <= 0 for slide in slides), f"{path.name} is too wide"
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
