"""Makes slides of the notebooks that need no network: make_slides.py FOLDER NOTEBOOK ...

What the slides load, reveal.js and MathJax, is fetched the first time and laid beside them.
"""

import html
import sys
from pathlib import Path

import nbformat
from nbconvert.exporters import SlidesExporter
from offline_parts import fetch
from slide_rule import with_slide_types

HERE = Path(__file__).resolve().parent


def exporter():
    """Returns the exporter of nbconvert with our template, and without any address outside."""
    return SlidesExporter(
        template_file=str(HERE / "slides.html.j2"),
        extra_template_basedirs=[str(HERE)],
        reveal_url_prefix="reveal",
        reveal_theme="white",
        mathjax_url="mathjax/es5/tex-svg.js",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )


def page_of(path):
    """Returns the slides of a notebook as one HTML page."""
    notebook = with_slide_types(nbformat.read(path, as_version=4))
    title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
    notebook.metadata["title"] = title
    page, _ = exporter().from_notebook_node(notebook)
    return title, page


def contents(titles):
    """Returns a page that leads to the slides; `titles` is {file name: title}."""
    rows = "".join(
        f'<li><a href="{name}">{html.escape(title)}</a></li>' for name, title in titles.items()
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Slides</title>'
        "<style>body{font:22px/1.6 sans-serif;max-width:42em;margin:2em auto;padding:0 1em}"
        "</style></head><body><h1>Slides</h1><p>Right and left: sections. Down: the parts of a "
        "section. Space: the next step. S: notes and code. Esc: overview.</p>"
        f"<ul>{rows}</ul></body></html>\n"
    )


def main(folder, *paths):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    fetch(folder, "reveal", "mathjax")
    titles = {}
    for path in map(Path, paths):
        name = f"{path.stem}.html"
        titles[name], page = page_of(path)
        (folder / name).write_text(page, encoding="utf-8")
    (folder / "index.html").write_text(contents(titles), encoding="utf-8")
    print(f"Open {folder / 'index.html'} in a browser. No network is needed.")


if __name__ == "__main__":
    main(*sys.argv[1:])
