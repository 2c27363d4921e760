"""What this branch changes, as Markdown for a pull request and as plots.

    python -m stages.pull_request --base origin/main

Compares the workspace after `dvc repro` with the revision `--base`; writes report/summary.md and report/plots/. The
gate's verdict does not fail the report: a branch need not be better to be worth merging.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from stages import errors, files, gate, git

FOLDER = Path("report")
TRAIN = Path("metrics/train")
DRIFT = Path("metrics/drift.json")


def summary(base: str) -> str:
    """The whole report. Raises PipelineError where metrics are missing."""
    parts = [
        ("Gate", _output("stages.gate", "--md", "--champion", base, ok=tuple(gate.EXIT_CODES.values()))),
        ("Metrics", _output("dvc", "metrics", "diff", base, "--md")),
        ("Parameters", _output("dvc", "params", "diff", base, "--md")),
        ("Families", chart({path.stem: files.read_json(path)["cv_rmse"] for path in sorted(TRAIN.glob("*.json"))})),
        ("Drift", drift(files.read_json(DRIFT))),
    ]
    body = "\n\n".join(f"### {title}\n\n{text}" for title, text in parts)
    return f"## Compared with `{base}`\n\n{body}\n"


def chart(cv_rmse: dict[str, float]) -> str:
    """Bars of each family's cross-validated RMSE, best first, which GitHub draws from text."""
    ordered = sorted(cv_rmse.items(), key=lambda item: item[1])
    names = ", ".join(f'"{name}"' for name, _ in ordered)
    values = ", ".join(f"{value:.4g}" for _, value in ordered)
    top = max(cv_rmse.values(), default=1) * 1.1
    return "\n".join(
        [
            "```mermaid",
            "xychart-beta",
            '    title "Cross-validated RMSE"',
            f"    x-axis [{names}]",
            f'    y-axis "RMSE" 0 --> {top:.4g}',
            f"    bar [{values}]",
            "```",
        ]
    )


def drift(report: dict[str, object]) -> str:
    return f"**{report['verdict']}** ({report['n_live']} live rows, {report['n_reference']} of the reference)"


def _output(module: str, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
    """What the module prints; where it could not do its work, its own last words."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode in ok:
        # DVC prints a header alone where nothing differs.
        return done.stdout.strip() if len(done.stdout.strip().splitlines()) > 2 else "No difference."
    said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return f"**could not decide**\n\n```\n{said}\n```"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.pull_request", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", required=True, metavar="REV", help="Git revision to compare with")
    base = parser.parse_args().base
    git.commit_of(base)
    text = summary(base)
    files.write_text(FOLDER / "summary.md", text)
    print(text)
    print(_output("dvc", "plots", "diff", base, "-o", str(FOLDER / "plots")), file=sys.stderr)


if __name__ == "__main__":
    errors.run(main)
