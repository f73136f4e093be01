"""The promises of the project as a whole: dependencies, rules of the page, saved outputs."""

import ast
import json
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(ROOT.glob("notebooks/0*.ipynb")) + sorted(
    ROOT.glob("notebooks/solutions/*.ipynb")
)
NAMES = [str(path.relative_to(ROOT)) for path in NOTEBOOKS]
REQUIRED = {
    line.split("==")[0].lower().replace("_", "-"): line.split("==")[1].split("#")[0].strip()
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if "==" in line and not line.startswith("#")
}


def cells(path, kind):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def source(cell):
    return "".join(cell["source"])


def imports(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def test_every_import_is_declared():
    code = {
        path: path.read_text(encoding="utf-8") for path in ROOT.glob("notebooks/reranking/*.py")
    }
    code |= {path: path.read_text(encoding="utf-8") for path in ROOT.glob("tests/*.py")}
    code |= {path: "\n".join(source(c) for c in cells(path, "code")) for path in NOTEBOOKS}
    own = {"reranking"} | {path.stem for path in ROOT.glob("tests/*.py")}
    packages = metadata.packages_distributions()
    for path, text in code.items():
        for module in set(imports(text)) - own - set(sys.stdlib_module_names):
            names = {name.lower().replace("_", "-") for name in packages.get(module, [module])}
            known = REQUIRED.keys() | {"ipython"}  # comes with jupyterlab, as its kernel
            assert names & known, f"{path.name} imports {module}"


def test_every_requirement_is_pinned_and_has_a_reason():
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            assert re.fullmatch(r"[\w-]+==[\w.]+ +# .+", line), line


def test_environment_and_requirements_do_not_drift_apart():
    text = (ROOT / "environment.yml").read_text()
    assert "- -r requirements.txt" in text and "python=3.11" in text
    assert not re.findall(r"^ *- (?!python|pip)[\w-]+ *=", text, re.M), (
        "packages: in requirements.txt"
    )


def test_installed_versions_are_the_pinned_ones():
    for name, version in REQUIRED.items():
        assert metadata.version(name).split("+")[0] == version, name


def test_the_package_says_where_each_of_its_modules_belongs():
    folder = ROOT / "notebooks" / "reranking"
    told = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    told = re.sub(
        r"(\w+)_01 to \w+_06", lambda m: " ".join(f"{m[1]}_0{n}" for n in range(1, 7)), told
    )
    listed = set(re.findall(r"\w+", told.split("Importing the package")[0]))
    for path in folder.glob("[a-z]*.py"):
        assert path.stem in listed, f"{path.stem} is not named in reranking/__init__.py"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_code_cells_fit_on_a_screen(path):
    for cell in cells(path, "code"):
        lines = source(cell).splitlines()
        limit = 20 if "class " in source(cell) else 15
        assert len(lines) <= limit, source(cell)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_saved_outputs_are_complete_and_clean(path):
    for number, cell in enumerate(cells(path, "code"), start=1):
        assert cell["execution_count"] == number, "run the notebook from top to bottom"
        for output in cell["outputs"]:
            assert output["output_type"] != "error", output
            assert output.get("name") != "stderr", output["text"]
            text = json.dumps(output)
            assert not re.search(r"/(home|root|work|tmp|Users)/|C:\\\\Users", text), text[:300]
            assert "widget-view" not in text and "IntProgress" not in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_most_cells_are_compared_and_the_others_are_followed_by_an_assertion(path):
    code = cells(path, "code")
    ignored = [
        i for i, c in enumerate(code) if "nbval-ignore-output" in c["metadata"].get("tags", [])
    ]
    assert len(ignored) <= 0.2 * len(code)
    for i in ignored:
        assert "assert " in source(code[i]) + source(code[i + 1]), source(code[i])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_words_that_talk_down_to_a_learner_are_absent(path):
    for cell in cells(path, "markdown"):
        assert not re.search(r"\b(simply|obviously|magic|trivial|of course)\b", source(cell), re.I)


@pytest.mark.parametrize(
    "path", [p for p in NOTEBOOKS if p.parent.name == "notebooks"], ids=lambda p: p.name
)
def test_notebooks_follow_the_pattern(path):
    text = "\n".join(source(c) for c in cells(path, "markdown"))
    for part in (
        "Time needed",
        "you will be able to",
        "## Setup",
        "Predict first",
        "Check yourself",
    ):
        assert part in text, part
    for part in ("What you learned", "What to try next", "Try to find out"):
        assert part in text, part
    code = "\n".join(source(c) for c in cells(path, "code"))
    assert code.count("exercises.check(") >= 3 and "widgets.Quiz(" in code
    assert (path.parent / "solutions" / path.name).exists()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_every_figure_has_an_alternative_text(path):
    for cell in cells(path, "code"):
        for output in cell["outputs"]:
            data = output.get("data", {})
            assert "image/png" not in data, "show figures with plots.show(figure, alt)"
            page = "".join(data.get("text/html", ""))
            for picture in re.findall(r"<img [^>]*>", page):
                assert re.search(r'alt="[^"]{20,}"', picture)


def test_readme_names_every_notebook_and_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in ROOT.glob("notebooks/0*.ipynb"):
        assert path.name in text, path.name
    assert "make lab" in text and "make test" in text and "mybinder.org" in text
    for target in re.findall(r"\]\((?!http|#)([^)]+)\)", text):
        assert (ROOT / target).exists(), target


def test_make_lab_passes_arguments_on():
    done = subprocess.run(
        ["make", "-n", "lab", "LAB_ARGS=--no-browser --port 8899"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "jupyter lab --no-browser --port 8899 notebooks/01_bi_encoder.ipynb" in done.stdout


@pytest.mark.skipif(not shutil.which("make"), reason="no make on this machine")
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("PYTHON=", "Python 3.11 is needed"),
        ("NEEDED=1000000000000", "free disk are needed"),
        ("PYTHON=./old-python", "this is 3.9"),
    ],
)
def test_setting_up_says_what_is_missing(tmp_path, setting, message):
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    old = tmp_path / "old-python"  # this Python, told that it is 3.9
    told = "import sys; sys.version_info = type('V', (tuple,), dict(major=3, minor=9))((3, 9))"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{told}\n$2"\n')
    old.chmod(0o755)
    done = subprocess.run(
        ["make", ".venv/ready", f"PYTHON={sys.executable}", setting],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode and message in done.stdout + done.stderr
    assert not (tmp_path / ".venv" / "ready").exists()


GUIDE = ROOT / "notebooks" / "teaching_guide.md"


def guide_parts():
    """Returns {number of a notebook: its part of the teaching guide}."""
    parts = re.split(r"^## ", GUIDE.read_text(encoding="utf-8"), flags=re.M)
    return {part[9]: part for part in parts if re.match(r"Notebook \d:", part)}


def headings(path):
    """Returns the headings of the sections of a notebook, such as "1.1 Can we …" or "Setup"."""
    text = "\n".join(source(cell) for cell in cells(path, "markdown"))
    return [h for h in re.findall(r"^## (.+)$", text, re.M) if h != "What to try next"]


@pytest.mark.parametrize(
    "path", [p for p in NOTEBOOKS if p.parent.name == "notebooks"], ids=lambda p: p.name
)
def test_teaching_guide_plans_each_section_and_the_minutes_add_up(path):
    part = guide_parts()[path.name[1]]
    rows = re.findall(r"^\| ([^|]+) \| ([\d–]+) \| ([\d–]+) \| ([\d–]+) \| \S", part, re.M)[1:]
    planned = [row[0] for row in rows]
    assert planned == headings(path)
    for column, length in enumerate((25, 50, 90), start=1):
        assert sum(int(row[column]) for row in rows if row[column] != "–") == length


@pytest.mark.parametrize(
    "path", [p for p in NOTEBOOKS if p.parent.name == "notebooks"], ids=lambda p: p.name
)
def test_teaching_guide_has_every_part_for_each_notebook(path):
    part = guide_parts()[path.name[1]]
    for name in ("Plan for", "Ask in", "Where a class gets stuck", "Misconceptions that"):
        assert f"### {name}" in part, name
    for name in ("comes out differently", "### Marking notes"):
        assert name in part, name
    text = "\n".join(source(cell) for cell in cells(path, "markdown"))
    for exercise in re.findall(r"\*\*(Exercise \d\.\d \(open\))", text):
        assert f"**{exercise}" in part, exercise


def test_teaching_guide_names_only_sections_and_exercises_that_exist():
    text = GUIDE.read_text(encoding="utf-8")
    notebooks = [path for path in NOTEBOOKS if path.parent.name == "notebooks"]
    written = "\n".join(source(c) for path in notebooks for c in cells(path, "markdown"))
    sections = {h.split()[0] for path in notebooks for h in headings(path)}
    exercises = set(re.findall(r"\*\*Exercise (\d\.\d)", written))
    named = re.findall(r"([Ee]xercise )?\b(\d\.\d+)\b", text)
    assert len(named) > 100, "the guide should name the cells"
    for exercise, number in named:
        assert number in (exercises if exercise else sections), f"{exercise}{number}"


def test_links_within_the_teaching_guide_lead_somewhere():
    text = GUIDE.read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(#([^)]+)\)", text):
        assert target in anchors, target


def test_the_site_shows_every_notebook_and_the_guide():
    listed = re.findall(r"file: (\S+)", (ROOT / ".github/site/_toc.yml").read_text())
    for path in [*NAMES, "notebooks/teaching_guide.md", "data/README.md"]:
        assert re.sub(r"\.(ipynb|md)$", "", path) in listed, path
    for line in (ROOT / ".github/site/requirements.txt").read_text().splitlines():
        assert line.startswith("#") or re.match(r"[\w-]+==[\w.]+ +# .+", line), line


def test_every_command_of_the_readme_is_in_the_makefile():
    commands = re.findall(r"^make ([\w-]+)", (ROOT / "README.md").read_text(), re.M)
    makefile = (ROOT / "Makefile").read_text()
    assert {"lab", "test", "slides", "site"} <= set(commands)
    for command in commands:
        assert re.search(rf"^{command}: ", makefile, re.M), command
