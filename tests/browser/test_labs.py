"""Every lab in a real browser, used as a person would: make browser.

One notebook holds all of them, so that they are there soon. Each lab is looked at in 1280 and 800
pixels and in both themes: controls have names, text has contrast, nothing is cut or scrolls in a
scroll.
"""

import shutil
from pathlib import Path

import every_lab
import nbformat
import pytest
from in_browser import PICTURES, ask, lab_box, launch, needs_browser, open_and_run, serve

pytestmark = needs_browser
CSV = "id,body\n1,Cats sleep for most of the day.\n2,Dogs want to go out twice a day.\n"
LOOK = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A notebook with every lab in a browser, once all of its cells have run."""
    cells = ["from every_lab import NAMES, makers", "make = makers()"]
    cells += [f"make[{name!r}]()" for name in every_lab.NAMES]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
    with serve(folder := tmp_path_factory.mktemp("course")) as address:
        shutil.copy(every_lab.__file__, folder / "notebooks")
        nbformat.write(notebook, folder / "notebooks" / "labs.ipynb")
        with launch(tmp_path_factory.mktemp("browser")) as browser:
            yield open_and_run(browser, address, "labs.ipynb")


def look(page, box, name):
    """Saves pictures of a lab at both widths and in both themes, and checks what they show."""
    PICTURES.mkdir(exist_ok=True)
    box.get_by_text("working …").wait_for(state="hidden")
    problems = []
    for theme in ("Light", "Dark"):
        page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})",
            f"JupyterLab {theme}",
        )
        for width in (1280, 800):
            page.set_viewport_size({"width": width, "height": 1000})
            page.wait_for_timeout(700)
            box.evaluate("box => box.scrollIntoView()")
            page.wait_for_timeout(300)
            page.screenshot(path=PICTURES / f"{name}-{theme.lower()}-{width}.png")
            problems += [f"{theme} {width}: {line}" for line in box.evaluate(LOOK)]
    page.set_viewport_size({"width": 1280, "height": 900})
    assert not problems, "\n".join(problems)


def slide(box, label, keys):
    """Moves a slider by keys, as someone without a mouse would."""
    handle = box.locator(".widget-slider", has=box.page.get_by_text(label, exact=True))
    for key in keys:
        handle.get_by_role("slider").press(key)


def load_csv(box, words):
    """Brings a small file of one's own into the lab."""
    box.get_by_label("documents", exact=True).select_option("my own file")
    content = {"name": "pets.csv", "mimeType": "text/csv", "buffer": CSV.encode()}
    with box.page.expect_file_chooser() as chooser:
        box.get_by_role("button", name="choose a file").click()
    chooser.value.set_files(content)
    box.get_by_label("column").wait_for()
    box.get_by_role("button", name="Load").click()
    box.get_by_text("my own file: 2 passages").wait_for()
    ask(box, "cats asleep")
    box.get_by_text(words).first.wait_for()


def test_labs_of_notebook_1(page):
    box = lab_box(page, "Search lab")
    ask(box, "ranking by bag of words")
    box.locator("tbody tr").first.get_by_text("BM25").wait_for()
    slide(box, "results", ["ArrowLeft", "ArrowLeft"])
    box.locator("tbody tr").nth(2).wait_for()
    look(page, box, "1-search")
    load_csv(box, "Cats sleep for most")
    look(page, box, "1-search-own")
    box = lab_box(page, "Blind-spot browser")
    slide(box, "example", ["ArrowRight"])
    box.get_by_label("query type").select_option(index=1)
    look(page, box, "1-blind-spots")


def test_stop_ends_a_load_in_the_browser(page):
    box = lab_box(page, "Search lab")
    for choice in ("the ten documents", "my own text"):
        box.get_by_label("documents", exact=True).select_option(choice)
    many = "\n\n".join(4 * f"Passage {i} is about the number {i}. " for i in range(2000))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", many)
    box.locator("textarea").press("ControlOrMeta+A")
    box.locator("textarea").press("ControlOrMeta+V")  # typed, so many lines take minutes
    box.get_by_role("button", name="Load").click()
    page.wait_for_timeout(3000)
    look(page, box, "1-loading")
    box.get_by_role("button", name="Stop").click()
    box.get_by_text("Stopped after").wait_for(timeout=5000)
    box.get_by_text("Still searching the ten documents").wait_for()


def test_own_documents_by_keyboard_alone(page):
    box = lab_box(page, "Search lab")
    box.get_by_label("query", exact=True).focus()
    keys = page.keyboard
    for _ in range(5):  # past the slider and its number
        keys.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "SELECT":
            break
    for key in ("Home", "ArrowDown"):  # to the judged collection
        keys.press(key)
    box.get_by_text("700 passages").wait_for()
    keys.press("ArrowDown")
    box.locator("textarea").wait_for()
    keys.press("Tab")
    keys.press("ControlOrMeta+A")
    keys.type("Cats sleep all day.\n\nDogs want to go out.")
    keys.press("Tab")
    keys.press("Enter")  # Load
    box.get_by_text("my own text: 2 passages").wait_for()


def test_labs_of_notebook_2(page):
    box = lab_box(page, "Reranking lab")
    ask(box, "what does a reranker do")
    box.locator("svg + div", has_text="Reranking refines").wait_for()
    look(page, box, "2-reranking")
    load_csv(box, "Cats sleep for most")
    look(page, box, "2-reranking-own")
    box = lab_box(page, "Occlusion lab")
    ask(box, "when does a loaf go stale")
    look(page, box, "2-occlusion")
    box = lab_box(page, "Probe lab")
    box.get_by_label("example").select_option("negation")
    box.locator("tbody tr").nth(1).wait_for()
    look(page, box, "2-probe")
    box = lab_box(page, "Quiz")
    box.locator("input[type=radio]").nth(1).check()
    box.get_by_text("of 4 right").wait_for()
    look(page, box, "2-quiz")


def test_labs_of_notebook_3(page):
    box = lab_box(page, "Beat the machine")
    box.get_by_title("move passage 1 down").click()
    box.get_by_role("button", name="Show the result").click()
    box.get_by_text("round 1").wait_for()
    look(page, box, "3-beat")
    box.get_by_role("button", name="Next query").click()
    box.get_by_text("Round 2").wait_for()
    box = lab_box(page, "Side by side")
    box.get_by_label("left").select_option("hybrid")
    ask(box, "how do I keep bread fresh")
    box.get_by_text("no judgements").wait_for()
    look(page, box, "3-side")
    load_csv(box, "Cats sleep for most")
    look(page, box, "3-side-own")


def test_lab_of_notebook_4(page):
    box = lab_box(page, "Planner")
    documents = box.get_by_label("documents", exact=True)
    documents.fill("100000000")
    documents.press("Tab")
    box.get_by_text("projection, not a measurement").wait_for()
    slide(box, "budget, ms", ["Home"])
    box.get_by_text("No index holds").wait_for()
    slide(box, "budget, ms", ["End"])
    box.get_by_text("Take ").wait_for()
    look(page, box, "4-planner")


def test_lab_of_notebook_5(page):
    box = lab_box(page, "Search in time")
    slide(box, "deadline, ms", ["Home"])
    box.get_by_text("Read 0 of 16").wait_for()
    slide(box, "deadline, ms", ["End"])
    box.get_by_label("stop early").select_option("after 1 quiet chunk")
    box.get_by_text("nDCG@10").wait_for()
    look(page, box, "5-deadline")
    load_csv(box, "of 2 candidates")
    look(page, box, "5-deadline-own")


def test_lab_of_notebook_6(page):
    box = lab_box(page, "Adapt it")
    box.get_by_label("documents", exact=True).select_option("my own, pasted below")
    box.get_by_text("2 passages").wait_for()
    slide(box, "steps", ["Home", "ArrowRight"])
    box.get_by_role("button", name="Train").click()
    box.get_by_text("done").wait_for(timeout=120_000)
    box.get_by_text(" after.").wait_for()
    look(page, box, "6-adapt")
