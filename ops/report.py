"""Report what this branch changes, as Markdown for a pull request and as plots.

    python -m ops.report --base origin/main

Compares the workspace after `dvc repro` with the last commit that HEAD and `--base` share; writes report/summary.md and
report/plots/. The gate's verdict is neither recorded nor an error here: a branch may be worth merging without being
better.
"""

import argparse
import json
import sys
from pathlib import Path

from pipeline.contract import errors, params, paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.number_text import figure, plain
from pipeline.contract.wording import counted
from pipeline.evaluation import markdown
from pipeline.gate import render
from pipeline.gate.judgement import judge
from pipeline.registry import git, module_runner
from pipeline.tables import atomic_files

FOLDER = Path("report")


def summary(base: str, since: str) -> str:
    """Return the report against `since`, the last commit that HEAD and `base` share.

    Raises PipelineError where metrics are missing.
    """
    families = {name: paths.TRAIN_METRICS / f"{name}.json" for name in params.load(params.Train).families}
    before = {name: json.loads(git.show(since, path) or "{}").get("cv_rmse") for name, path in families.items()}
    after = {name: atomic_files.read_json(path)["cv_rmse"] for name, path in families.items()}
    drift = atomic_files.read_json(paths.DRIFT_METRICS)
    live = counted(drift["n_live"], "live row")
    parts = [
        ("Gate", _verdict(since)),
        ("Metrics", _differences("metrics", since)),
        ("Parameters", _differences("params", since)),
        ("Families", chart(before, after)),
        ("Drift", f"**{drift['verdict']}** ({live}, {drift['n_reference']} of the reference)"),
    ]
    body = "\n\n".join(f"### {title}\n\n{text}" for title, text in parts)
    return f"## Compared with `{base}` ({since[:10]})\n\n{body}\n"


def chart(before: dict[str, float | None], after: dict[str, float]) -> str:
    """Return each family's cross-validated RMSE, best first, as a mermaid chart and a table.

    The chart's line needs a figure for each bar, so it is left out where a family is new: None in `before`.
    """
    names = sorted(after, key=lambda name: after[name])
    line = [value for name in names if (value := before[name]) is not None]
    drawn = [
        "```mermaid",
        "xychart-beta",
        f"    x-axis {json.dumps(names)}",
        f'    y-axis "cross-validated RMSE" 0 --> {plain(max([*after.values(), *line]) * 1.1, 4)}',
        f"    bar [{', '.join(plain(after[name], 4) for name in names)}]",
        *([f"    line [{', '.join(plain(value, 4) for value in line)}]"] if len(line) == len(names) else []),
        "```",
    ]
    rows = [[name, figure(before[name]), figure(after[name])] for name in names]
    return "\n".join([*drawn, "", markdown.table(["family", "before (line)", "after (bar)"], rows)])


def _verdict(since: str) -> str:
    try:
        decision = judge(since, params.load(params.Gate))
    except PipelineError as error:
        return f"```\nerror: {error}\n```"
    return render.as_markdown(decision._replace(metrics_diff=""))  # the next section has it


def _differences(kind: str, since: str) -> str:
    """Return the table that `dvc KIND diff` prints, or the last line of its error."""
    done = module_runner.capture("dvc", kind, "diff", since, "--md")
    if done.returncode:
        return f"```\n{(done.stderr.strip().splitlines() or ['no message'])[-1]}\n```"
    # DVC prints a header alone where nothing differs.
    return done.stdout.strip() if len(done.stdout.strip().splitlines()) > 2 else "No difference."


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ops.report", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", required=True, metavar="REV", help="Git revision to compare with")
    base = parser.parse_args().base
    since = git.merge_base(base)
    text = summary(base, since)
    atomic_files.write_text(FOLDER / "summary.md", text)
    print(text)
    plots = module_runner.capture("dvc", "plots", "diff", since, "-o", str(FOLDER / "plots"))
    print((plots.stdout or plots.stderr).strip(), file=sys.stderr)


if __name__ == "__main__":
    errors.run_command(main)
