import os, sys

sys.path.insert(0, "/tmp/fresh/tests")
import pytest
from in_browser import open_and_run
from test_browser import lab, browser


@pytest.mark.parametrize("name", os.environ["NBS"].split(","))
def test_shots(browser, lab, name):
    page = open_and_run(browser, lab, name)
    out = "/tmp/shots"
    os.makedirs(out, exist_ok=True)
    for w in (1280, 800):
        page.set_viewport_size({"width": w, "height": 3000})
        page.keyboard.press("Control+B") if w == 800 else None
        page.wait_for_timeout(1500)
        sel = "document.querySelector('.jp-NotebookPanel .jp-WindowedPanel-outer')"
        H = page.evaluate(sel + ".scrollHeight")
        y = 0
        i = 0
        print(name, w, H)
        while y < H:
            page.evaluate(sel + f".scrollTop={y}")
            page.wait_for_timeout(300)
            page.screenshot(path=f"{out}/{name[:2]}-{w}-{i:02d}.png")
            y += 2850
            i += 1
    page.close()
