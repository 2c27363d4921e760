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


def follow(project: Project, page: str) -> int:
    """Do what a page says, top to bottom; returns how many commands it had.

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
    return count


def printed(project: Project, page: str, command: str) -> str:
    """What a command prints, by way of a file: what it leaves in the background would keep a pipe open."""
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
    ("page", "commands"),
    [
        ("docs/bring-your-own-data.md", 12),
        ("docs/registry.md", 12),
        ("docs/add-a-family.md", 4),
        ("docs/experiments.md", 22),
    ],
)
def test_a_page_works_as_written(project: Project, page: str, commands: int) -> None:
    """Every command of the page succeeds in a fresh clone and prints what the page shows."""
    assert follow(project, page) == commands


def test_upgrading_leads_to_what_exists() -> None:
    """Each new command, function and module in the tables of docs/upgrading.md exists."""
    page = (ROOT / "docs/upgrading.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `.+` \| (`(?:python -m |stages|pipeline|ops|api).+`) \|$", page, re.MULTILINE)
    assert rows
    for name in re.findall("`(.+?)`", " ".join(rows)):
        module, *words = name.removeprefix("python -m ").split()
        assert pkgutil.resolve_name(module), name
        source = (ROOT / module.replace(".", "/")).with_suffix(".py")
        for word in words:
            assert re.search(rf'add_parser\(\s*"{word}"', source.read_text(encoding="utf-8")), name


def test_links_lead_somewhere() -> None:
    """Each relative link of each page leads to a file of the project."""
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("models/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page}: {target}"
