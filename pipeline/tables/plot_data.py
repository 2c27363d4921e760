"""The data behind `dvc plots show`: a small CSV for each plot; dvc.yaml has the layouts."""

from pathlib import Path

import pandas as pd

from pipeline.contract.paths import PLOTS
from pipeline.tables import atomic_files

PlotData = dict[str, pd.DataFrame]


def save(data: PlotData, folder: Path = PLOTS) -> None:
    """Write a CSV for each table. Six digits are more than a plot shows; later ones differ between processors."""
    for name, table in data.items():
        text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        atomic_files.write_text(folder / f"{name}.csv", text)
