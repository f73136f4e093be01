"""The slides: the rule that makes them, and one deck in a real browser."""

import re
import shutil
from pathlib import Path

import check_slides
import make_slides
import nbformat
import offline_parts
import pytest
from slide_rule import ANSWERS, with_slide_types

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(ROOT.glob("notebooks/0*.ipynb"))
PARTS = ROOT / "slides"  # where `make slides` lays reveal.js and MathJax


def kind(cell):
    return cell.metadata["slideshow"]["slide_type"]


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.name)
def both(request):
    """Returns a notebook, and the same with its slide types."""
    notebook = nbformat.read(request.param, as_version=4)
    return notebook, with_slide_types(notebook)


def test_notebooks_stay_as_they_are(both):
    notebook, slides = both
    assert all("slideshow" not in cell.metadata for cell in notebook.cells)
    assert all("slideshow" in cell.metadata for cell in slides.cells)


def test_every_section_begins_a_slide(both):
    notebook, slides = both
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    wanted = [h for h in re.findall(r"^##? .+$", text, re.M) if h != "## Setup"]
    starts = [c for c in slides.cells if c.cell_type == "markdown" and kind(c) == "slide"]
    assert [cell.source.splitlines()[0] for cell in starts] == wanted


def test_every_output_is_shown_but_those_of_setup_and_answers(both):
    notebook, slides = both
    shown = [c for c in slides.cells if kind(c) not in ("notes", "skip")]
    outputs = [c.outputs for c in shown if c.get("outputs")]
    setup = next(i for i, c in enumerate(notebook.cells) if c.source.startswith("## Setup"))
    wanted, in_setup = [], False
    for cell in notebook.cells[setup:]:
        if cell.cell_type == "markdown" and "## " in cell.source:
            in_setup = cell.source.startswith("## Setup")
        if cell.get("outputs") and not in_setup and not ANSWERS.search(cell.source):
            wanted.append(cell.outputs)
    assert outputs == wanted


def test_after_a_prediction_comes_a_step(both):
    _, slides = both
    shown = [cell for cell in slides.cells if kind(cell) not in ("notes", "skip")]
    asked = 0
    for cell, after in zip(shown, shown[1:], strict=False):
        if cell.cell_type == "markdown" and "**Predict first.**" in cell.source:
            asked += 1
            assert kind(after) in ("fragment", "subslide", "slide"), cell.source
    assert asked >= 5


def test_long_code_is_for_the_speaker_only(both):
    _, slides = both
    for cell in slides.cells:
        if cell.cell_type == "code" and kind(cell) not in ("notes", "skip"):
            assert len(cell.source.splitlines()) <= 12, cell.source


def test_a_cell_may_have_a_type_of_its_own():
    cell = nbformat.v4.new_code_cell("1 + 1", metadata={"slideshow": {"slide_type": "skip"}})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A"), cell])
    assert [kind(c) for c in with_slide_types(notebook).cells] == ["slide", "skip"]


def test_everything_that_is_fetched_has_a_checksum():
    text = offline_parts.LIST.read_text()
    assert len(re.findall(r"^[\w-]+==[\w.]+ ", text, re.M)) == text.count("--hash=sha256:") == 2


def test_a_page_names_nothing_outside_its_folder():
    _, page = make_slides.page_of(NOTEBOOKS[0])
    assert page.count("<section") > 20 and "reveal/dist/reveal.js" in page
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page)
    assert len(tags) > 5
    assert not [tag for tag in tags if re.search(r"(?:src|href)=\"(?:https?:)?//", tag)]
    assert not re.search(r"url\([\"']?(?:https?:)?//|@import", page)


@pytest.mark.skipif(not check_slides.CHROMIUM, reason="no Chromium or Chrome on this machine")
@pytest.mark.skipif(not (PARTS / "reveal").exists(), reason="`make slides` was not run here")
def test_slides_in_a_browser(tmp_path):
    from playwright.sync_api import sync_playwright

    for name in ("reveal", "mathjax"):
        shutil.copytree(PARTS / name, tmp_path / name)
    notebook = nbformat.read(NOTEBOOKS[2], as_version=4)
    notebook.cells = notebook.cells[:18]  # section 3.1: tables and a formula
    nbformat.write(notebook, tmp_path / "03.ipynb")
    _, page = make_slides.page_of(tmp_path / "03.ipynb")
    (tmp_path / "03.html").write_text(page, encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=check_slides.CHROMIUM, args=check_slides.FLAGS
        )
        slides, outside, errors = check_slides.visit(browser, tmp_path / "03.html")
        browser.close()
    assert outside == [] and errors == []
    assert len(slides) > 4 and any(slide["formulas"] for slide in slides)
    for slide in slides:
        assert not slide["scrolls"] and not slide["raw"], slide
        assert slide["below"] <= 0 and slide["right"] <= 0, slide
