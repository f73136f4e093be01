"""Makes a static, searchable site of the course: make_site.py FOLDER

The pages are the README, the notebooks with their saved outputs, the solutions, the teaching guide
and the cards of data and model. Nothing is run. Run it with the Python of an environment that holds
.github/site/requirements.txt, as `make site` does. FOLDER/html is then the site, without a network.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from offline_parts import fetch

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ROOT / ".github" / "site"
GITHUB = "https://github.com/reranking-notebooks/reranking-notebooks"
PAGES = ["README.md", "data/README.md", "data/cross-encoder/README.md"]
PAGES += ["notebooks/*.ipynb", "notebooks/solutions/*.ipynb", "notebooks/*.md", "notebooks/*.png"]
BADGE = re.compile(r"\[!\[Binder\]\([^)]+\)\]\(")  # a picture from outside
THEBE = re.compile(
    r"<script[^>]*>const THEBE_JS_URL.*?</script>\n?|<script[^>]*thebe.js[^>]*></script>"
)
LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)#\s]+)(?=[)#])")


def collect(folder):
    """Copies the pages into `folder`; links to files that are no pages lead to GitHub."""
    pages = [path for pattern in PAGES for path in sorted(ROOT.glob(pattern))]
    for path in pages:
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix != ".md":
            shutil.copy(path, target)
            continue

        def lead(match, path=path):
            aim = (path.parent / match[1]).resolve()
            if aim in pages or not aim.exists():
                return match[1]
            return f"{GITHUB}/blob/main/{aim.relative_to(ROOT).as_posix()}"

        text = BADGE.sub("[Open it on Binder](", path.read_text(encoding="utf-8"))
        target.write_text(LINK.sub(lead, text), encoding="utf-8")
    for path in SETTINGS.glob("_*.yml"):
        shutil.copy(path, folder)
    (folder / "_static").mkdir()
    shutil.copy(SETTINGS / "site.css", folder / "_static")
    fetch(folder.parent / "parts", "mathjax")  # kept for the next time
    shutil.copytree(folder.parent / "parts", folder / "_offline")


def main(folder):
    folder = Path(folder).resolve()
    source = folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    collect(source)
    shutil.rmtree(folder / "html", ignore_errors=True)
    book = shutil.which("jupyter-book", path=str(Path(sys.executable).parent))
    subprocess.run([book, "build", "--all", "-W", "--keep-going", "-q", str(source)], check=True)
    shutil.move(source / "_build" / "html", folder / "html")
    shutil.rmtree(source)
    for page in (folder / "html").rglob("*.html"):  # Thebe is not used, and would load from outside
        page.write_text(THEBE.sub("", page.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"Open {folder / 'html' / 'index.html'} in a browser.")


if __name__ == "__main__":
    main(*sys.argv[1:])
