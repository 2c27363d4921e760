"""The documentation does what it says: its commands are run, and the output that it shows is compared."""

import pkgutil
import re
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, Project

BLOCKS = re.compile(r"^```(console|yaml|diff)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Figures of the shipped grids; the tests' are smaller. A number with decimals in a shown output stands for any.
DECIMAL = re.compile(r"\d+\\\.\d+")


def follow(project: Project, page: str) -> None:
    """Do what a page says, top to bottom; it has at least one command.

    `console` blocks: lines with `$ ` are run and must succeed, the lines below are parts of the output in their order,
    `...` stands for anything. `yaml` blocks: each line replaces the line of data/schema.yaml with the same key. `diff`
    blocks name a file and change it.
    """
    count = 0
    for kind, file, block in BLOCKS.findall((ROOT / page).read_text(encoding="utf-8")):
        if kind == "diff":
            change(project.path(file), block)
            continue
        if kind == "yaml":
            schema = project.path("data/schema.yaml")
            text = schema.read_text(encoding="utf-8")
            for line in block.splitlines():
                key = line.split(":")[0]
                text, found = re.subn(rf"(?m)^{re.escape(key)}:.*$", lambda _, line=line: line, text)
                assert found == 1, f"{page}: no line {key!r} to replace"
            schema.write_text(text, encoding="utf-8")
            continue
        for step in re.split(r"(?m)^\$ ", block)[1:]:
            command, *shown = step.splitlines()
            output = printed(project, page, command)
            start = 0
            for line in shown:
                pattern = DECIMAL.sub(r"\\d+\\.\\d+", re.escape(line)).replace(re.escape("..."), ".*")
                found = re.compile(pattern).search(output, start)
                assert found, f"{page}: {command} did not print {line!r} there:\n{output}"
                start = found.end()
            count += 1
    assert count, page


def printed(project: Project, page: str, command: str) -> str:
    """Return what a command prints. It prints into a file: a background process would keep a pipe open."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        shell = ["bash", "-c", command]
        done = subprocess.run(shell, cwd=project.folder, env=project.env, stdout=file, stderr=file, check=False)
        file.seek(0)
        output = file.read()
    assert done.returncode == 0, f"{page}: {command}\n{output}"
    return output


def change(path: Path, block: str) -> None:
    """Apply a diff without places: its lines without `+` stand in the file once, and its lines without `-` replace
    them."""
    lines = block.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] != "+")
    new = "".join(line[1:] for line in lines if line[0] != "-")
    text = path.read_text(encoding="utf-8")
    assert f"\n{text}".count(f"\n{old}") == 1, f"{path}: not once there:\n{old}"
    path.write_text(f"\n{text}".replace(f"\n{old}", f"\n{new}")[1:], encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", ["docs/bring-your-own-data.md", "docs/registry.md", "docs/add-a-family.md", "docs/experiments.md"]
)
def test_a_page_works_as_written(project: Project, page: str) -> None:
    """Every command of the page succeeds in a fresh clone and prints what the page shows."""
    follow(project, page)


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def test_pages_name_what_exists() -> None:
    """Each command, module and file of the project that a page names exists."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if page.name in ("upgrading.md", "from-the-old-system.md"):
            text = re.sub(r"(?m)^\|[^|]*\|", "", text)  # old names are in the first column
        for module in re.findall(r"python -m ((?:stages|ops|api|bench)[.\w]*)", text):
            path = ROOT / module.replace(".", "/")
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), f"{page}: {module}"
        for name in re.findall(r"\b(?:stages|pipeline|ops|api|bench|tests|deploy)/[\w./]*\w", text):
            assert (ROOT / name).exists(), f"{page}: {name}"
        for name in re.findall(r"(?<![/\w])pipeline(?:\.\w+)+", text):
            assert pkgutil.resolve_name(name), f"{page}: {name}"


def test_upgrading_leads_to_what_exists() -> None:
    """Each new command, function and module in the tables of docs/upgrading.md exists."""
    page = (ROOT / "docs/upgrading.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| `(?:python -m )?(?:stages|api).*\| (.*) \|$", page)
    names = re.findall(r"`(?:python -m )?((?:stages|pipeline|ops|api)\..+?)`", " ".join(rows))
    assert names
    for name in names:
        module, *words = name.split()
        assert pkgutil.resolve_name(module), name
        if words:
            source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
            assert f'"{words[0]}"' in source, name


def test_links_lead_somewhere() -> None:
    """Each relative link of each page leads to a file of the project."""
    for page in [*PAGES, *ROOT.glob("models/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page}: {target}"
