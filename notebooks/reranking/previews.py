"""What a saved notebook shows of a lab where no kernel runs: its state as HTML and as text."""

import html
from html.parser import HTMLParser

import ipywidgets as ipw

from .search import shorten

WIDTH = 64  # letters of a cell in a text table


def state(controls):
    """Returns the values of all visible controls as HTML: texts on lines of their own."""
    lines, short = [], []
    for control in walk(controls):
        name, value = getattr(control, "description", ""), getattr(control, "value", None)
        if isinstance(control, (ipw.Text, ipw.Textarea)) and value:
            lines.append(f"<p>{html.escape(name)}: <b>{html.escape(value)}</b></p>")
        elif isinstance(control, (ipw.Dropdown, ipw.RadioButtons)) and control.options:
            short.append(f"{name}: {control.label}")
        elif isinstance(control, (ipw.IntSlider, ipw.BoundedIntText, ipw.BoundedFloatText)):
            short.append(f"{name}: {value:,}")
    line = html.escape(" · ".join(short))
    return "".join(lines) + (f"<p>{line}</p>" if line else "")


def walk(widgets):
    """Yields all widgets that can be seen, those in boxes too."""
    for widget in widgets:
        if widget.layout.display != "none":
            yield widget
            yield from walk(getattr(widget, "children", ()))


class AsText(HTMLParser):
    """Collects the text of a page: a line for each block, and tables with columns in line."""

    def __init__(self):
        super().__init__()
        self.lines, self.rows = [""], []

    def handle_starttag(self, tag, _attributes):
        if tag in ("p", "li", "div", "br"):
            self.lines.append("- " if tag == "li" else "")
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if tag == "table":
            self.lines += [*in_line(self.rows), ""]
            self.rows = []

    def handle_data(self, text):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += text
        else:
            self.lines[-1] += text


def in_line(rows):
    """Returns the rows of a table as lines of text, each column as wide as its widest cell."""
    rows = [[shorten(cell, WIDTH) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def as_text(page):
    """Returns a page of HTML as plain text without empty lines."""
    reader = AsText()
    reader.feed(page)
    reader.close()
    return "\n".join(line.rstrip() for line in reader.lines if line.strip())
