"""For every reader: controls have names, colours can be told apart, saved labs tell their story.

Contrast as WCAG 2.2 defines it: 4.5 for text, 3 for what is drawn (level AA).
"""

import re

import every_lab
import ipywidgets as ipw
import matplotlib
import numpy as np
import pytest

from reranking import labs_02, plots, plots_of_time, previews, widgets

LIGHT, DARK = "#ffffff", "#111111"  # what JupyterLab's two themes have behind a cell
NO_TABLE = ("OcclusionLab", "BeatTheMachine")
TIMED = ("DeadlineLab",)  # its result is a measured time


@pytest.fixture(scope="module")
def make():
    """Returns a function that makes any lab of the course by its name."""
    found = every_lab.makers()
    return lambda name: found[name]()


def every_widget(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from every_widget(child)


@pytest.mark.parametrize("name", every_lab.NAMES)
def test_every_control_has_a_name(make, name):
    controls = [w for w in every_widget(make(name)) if not isinstance(w, (ipw.Box, ipw.HTML))]
    assert len(controls) > 1
    for control in controls:
        words = control.description + (control.tooltip or "")
        assert re.search(r"[A-Za-z]{4}", words), f"{type(control).__name__} {words!r}"
        if isinstance(control, (ipw.Text, ipw.Dropdown, ipw.IntSlider, ipw.RadioButtons)):
            assert control.description, "a label that can be seen"


@pytest.mark.parametrize("name", every_lab.NAMES)
def test_a_saved_lab_tells_its_story_without_a_kernel(make, name):
    lab = make(name)
    pages = lab._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in pages
    text, page = pages["text/plain"], pages["text/html"]
    assert lab.title in text and "<" not in text and len(text.splitlines()) > 3
    for control in previews.walk(lab.children):
        if isinstance(control, ipw.Text) and control.value:
            assert control.value in text, "what was asked"
    assert not re.search(r"<(svg|button|input|details)|display: ?flex", page)
    assert "<table" in page or name.startswith("Quiz") or name in NO_TABLE
    if name not in TIMED:
        assert make(name)._repr_mimebundle_()["text/plain"] == text, "the same at every run"


def test_a_table_as_text_has_its_columns_in_line():
    page = widgets.html_table(["rank", "passage"], [[1, "A <b> & C"], [10, "word " * 40]])
    lines = previews.as_text(f"<p>query: <b>x</b></p>{page}").splitlines()
    assert lines[:3] == ["query: x", "rank  passage", "1     A <b> & C"]
    assert lines[3].startswith("10    word word") and lines[3].endswith("…")


def linear(colour):
    """Returns red, green and blue as shares of light, from 0 to 1."""
    values = np.array(matplotlib.colors.to_rgb(colour))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """Returns the contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    low, high = sorted(linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def blend(colour, strength, ground):
    rgb = [matplotlib.colors.to_rgb(c) for c in (colour, ground)]
    return tuple(strength * np.array(rgb[0]) + (1 - strength) * np.array(rgb[1]))


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # a known near miss


def test_what_is_drawn_stands_out_from_white():
    drawn = [*plots.COLOURS.values(), plots.UP, plots.DOWN, plots.SAME]
    for colour in [*drawn, *(colour for colour, _ in plots_of_time.INDEX_STYLES.values())]:
        assert contrast(colour, LIGHT) >= 3, colour


@pytest.mark.parametrize("ground", [LIGHT, DARK])
def test_what_a_lab_draws_stands_out_in_both_themes(make, ground):
    drawn = set(re.findall(r'stroke="(#\w+)"', make("RerankLab").result.value))
    assert drawn <= {plots.UP, plots.DOWN, plots.SAME} and len(drawn) >= 2
    for colour in (plots.UP, plots.DOWN, plots.SAME):
        assert contrast(colour, ground) >= 3, colour


@pytest.mark.parametrize(("ground", "ink"), [(LIGHT, blend("#000000", 0.87, LIGHT)), (DARK, LIGHT)])
def test_coloured_words_can_be_read_in_both_themes(ground, ink):
    page = labs_02.coloured_words([("falls", 2.0), ("rises", -2.0), ("little", 0.1)])
    marks = re.findall(r"rgba\((\d+), (\d+), (\d+), ([\d.]+)\)", page)
    assert len(marks) == 3
    for *rgb, strength in marks:
        colour = tuple(int(value) / 255 for value in rgb)
        assert contrast(blend(colour, float(strength), ground), ink) >= 4.5


def test_numbers_on_a_heat_map_can_be_read():
    values = np.linspace(0, 1, 101)[:, None]
    figure = plots.heat_map(values, [str(i) for i in range(101)], "title")
    cells = matplotlib.colormaps["cividis"](values[:, 0])[:, :3]
    for text, cell in zip(figure.axes[0].texts, cells, strict=True):
        assert contrast(text.get_color(), tuple(cell)) >= 4.5, text.get_text()


@pytest.mark.parametrize(
    ("most", "draw"),
    [
        (4, lambda names: plots.histogram({name: [0.0, 1.0] for name in names}, "", "")),
        (4, lambda names: plots.curves({name: ([0, 1], [0, 1]) for name in names}, "", "", "")),
        (2, lambda names: plots.learning([1.0], [1.0], {0: 0.5}, dict.fromkeys(names, 0.5), "")),
    ],
    ids=["histogram", "curves", "learning"],
)
def test_no_series_is_left_out_of_a_figure_in_silence(most, draw):
    drawn = {text.get_text() for text in draw("abcd"[:most]).axes[-1].get_legend().get_texts()}
    assert set("abcd"[:most]) <= drawn
    with pytest.raises(ValueError, match=f"{most + 1} series, but only {most}"):
        draw("abcde"[: most + 1])


# How people without one of the three kinds of cones see (Machado, Oliveira, Fernandes, 2009).
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def lab_space(colour, kind):
    """Returns a colour as someone sees it, in CIELAB: (3,), where 2 is a difference barely seen."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    seen = np.clip(np.array(BLINDNESS[kind]) @ linear(colour), 0, 1)
    share = np.array(to_xyz) @ seen / [0.9505, 1, 1.089]
    x, y, z = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("kind", BLINDNESS)
def test_colours_that_meet_in_a_figure_are_told_apart(kind):
    meet = [
        [plots.UP, plots.DOWN, plots.SAME, "#000000"],
        [*plots.COLOURS.values()],
        [plots.COLOURS["cross-encoder"], plots.UP, plots.DOWN, plots.SAME],
    ]
    for colours in meet:
        for i, one in enumerate(colours):
            for other in colours[:i]:
                apart = np.linalg.norm(lab_space(one, kind) - lab_space(other, kind))
                assert apart > 10, (one, other, apart)
