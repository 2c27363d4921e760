"""The data behind `dvc plots show`: a small CSV a plot, whose looks are in dvc.yaml."""

from pathlib import Path

import pandas as pd

from pipeline.contract.paths import PLOTS
from pipeline.tables import atomic_files

PlotData = dict[str, pd.DataFrame]


def save(data: PlotData, folder: Path = PLOTS) -> None:
    """Write one CSV a table. Six digits are more than a plot shows, and fewer than processors differ in."""
    for name, table in data.items():
        text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        atomic_files.write_text(folder / f"{name}.csv", text)
