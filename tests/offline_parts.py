"""Fetches what slides and site load in the browser, so that they need no network later."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

LIST = Path(__file__).with_suffix(".txt")  # packages with their checksums
PARTS = {  # name: (folder within a package, what is taken from it)
    "reveal": (
        "sphinx_revealjs/_static/revealjs/",
        ("dist/reveal.js", "dist/reveal.css", "dist/theme/white.css", "dist/theme/fonts/source-")
        + ("plugin/notes/", "LICENSE"),
    ),
    "mathjax": ("mathjax/static/mathjax/", ("es5/tex-svg.js", "LICENSE")),
}


def fetch(folder, *names):
    """Lays the named parts into `folder`, each in a folder of its name, unless they lie there."""
    if all((folder / name / "LICENSE").exists() for name in names):
        return
    print(f"Fetching {' and '.join(names)} from PyPI (about 12 MB).", flush=True)
    with tempfile.TemporaryDirectory() as kept:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--require-hashes", "--dest", kept]
        subprocess.run([*command, "--requirement", str(LIST)], check=True)
        for wheel in Path(kept).glob("*.whl"):
            for name in names:
                unpack(wheel, folder / name, *PARTS[name])


def unpack(wheel, folder, inside, wanted):
    """Writes those files of a wheel to `folder` that lie in `inside` and begin with `wanted`."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            path = name.removeprefix(inside)
            if path != name and path.startswith(wanted) and not path.endswith(".map"):
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
