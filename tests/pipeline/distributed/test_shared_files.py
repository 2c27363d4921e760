"""What workers of Dask read lies in a file, and not in the memory of one of them."""

from pathlib import Path

import joblib
import numpy as np
import pytest

from pipeline.distributed.shared_files import borrowed, lendable, lent


def test_a_file_is_there_for_the_block(tmp_path: Path) -> None:
    """What is lent can be read at an absolute path, and is gone afterwards."""
    with lent({"a": [1]}, tmp_path / "new") as path:
        assert path.is_absolute()
        assert borrowed(path) == {"a": [1]}
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("elsewhere", [False, True])
def test_another_process_is_told_the_path(tmp_path: Path, elsewhere: bool) -> None:
    """Content that can be lent is itself in this process; in another one it is read from the file, where there is one:
    what travels there is short."""
    rows = np.arange(10_000.0)
    with lendable(rows, tmp_path if elsewhere else None) as here:
        assert here.content is rows
        joblib.dump(here, tmp_path / "travels")
        assert ((tmp_path / "travels").stat().st_size < 500) is elsewhere
        assert np.array_equal(joblib.load(tmp_path / "travels").content, rows)
