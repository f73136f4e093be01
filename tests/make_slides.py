"""Makes slides of the notebooks that need no network: make_slides.py FOLDER NOTEBOOK ...

The first time, two packages are fetched from PyPI (their checksums stand in slides.txt). What the
slides load from them, reveal.js and MathJax, is laid beside the slides.
"""

import html
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import nbformat
from nbconvert.exporters import SlidesExporter
from slide_rule import with_slide_types

HERE = Path(__file__).resolve().parent
PARTS = {  # folder beside the slides: folder within a package
    "reveal": "sphinx_revealjs/_static/revealjs/",
    "mathjax": "jupyter_server_mathjax/static/",
}
WANTED = (
    "dist/reveal.",
    "dist/theme/white.",
    "dist/theme/fonts/source",
    "plugin/notes/",
    "LICENSE",
)


def fetch(folder):
    """Lays reveal.js and MathJax into `folder`, unless they lie there already."""
    if all((folder / name / "LICENSE").exists() for name in PARTS):
        return
    print("Fetching reveal.js and MathJax: once, about 5 MB.")
    with tempfile.TemporaryDirectory() as kept:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--require-hashes", "--dest", kept]
        subprocess.run([*command, "--requirement", str(HERE / "slides.txt")], check=True)
        for wheel in Path(kept).glob("*.whl"):
            unpack(wheel, folder)


def unpack(wheel, folder):
    """Writes those files of a wheel that the slides load into `folder`."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            for part, inside in PARTS.items():
                path = name.removeprefix(inside)
                if path != name and (part == "mathjax" or path.startswith(WANTED)):
                    target = folder / part / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(archive.read(name))


def exporter():
    """Returns the exporter of nbconvert with our template, and without any address outside."""
    return SlidesExporter(
        template_file=str(HERE / "slides.html.j2"),
        extra_template_basedirs=[str(HERE)],
        reveal_url_prefix="reveal",
        reveal_theme="white",
        mathjax_url="mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full,Safe",
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
    fetch(folder)
    titles = {}
    for path in map(Path, paths):
        name = f"{path.stem}.html"
        titles[name], page = page_of(path)
        (folder / name).write_text(page, encoding="utf-8")
    (folder / "index.html").write_text(contents(titles), encoding="utf-8")
    print(f"Open {folder / 'index.html'} in a browser. No network is needed.")


if __name__ == "__main__":
    main(*sys.argv[1:])
