"""The notebooks in a real browser: all cells run, and the labs used as a person would."""

import pytest
from in_browser import ask, lab_box, launch, needs_browser, open_and_run, picture, serve

pytestmark = needs_browser


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("course")) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with launch(tmp_path_factory.mktemp("browser")) as context:
        yield context


def test_notebook_1_runs_and_its_search_lab_answers(browser, lab):
    page = open_and_run(browser, lab, "01_bi_encoder.ipynb")
    box = lab_box(page, "Search lab")
    ask(box, "ranking by bag of words")
    first = box.locator("tbody tr").first
    first.get_by_text("BM25").wait_for()
    box.locator("select").first.select_option("my own text")
    box.locator("textarea").fill("Cats sleep all day.\n\nDogs want to go out.")
    box.get_by_role("button", name="Load").click()
    box.get_by_text("my own text: 2 passages").wait_for()
    ask(box, "feline rest")
    first.get_by_text("Cats sleep").wait_for()
    picture(page, box, "01-search-lab")
    page.close()


def test_notebook_2_runs_and_its_labs_answer(browser, lab):
    page = open_and_run(browser, lab, "02_cross_encoder.ipynb")
    box = lab_box(page, "Reranking lab")
    assert box.locator("svg line").count() == 10
    ask(box, "what does a reranker do")
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
