"""Texts of the schema that need quotes: without them YAML reads NO as false, and 007 as 7."""

from pathlib import Path
from typing import Any

from pipeline.contract.errors import PipelineError
from pipeline.contract.yaml_config import read_mapping


def check_quotes(columns: dict[Any, Any], path: Path) -> None:
    """Raise PipelineError for a category, or a marker of missing, that is no text; `columns`: as the file was read."""
    for name, keys in columns.items():
        for key in ("categories", "missing"):
            texts = keys.get(key) if isinstance(keys, dict) else None
            for place, text in enumerate(texts if isinstance(texts, list) else []):
                if not isinstance(text, str | list | dict):
                    # Read again, for the file's own spelling.
                    written = read_mapping(path, as_written=True)["columns"].get(name, {}).get(key, texts)[place]
                    raise PipelineError(
                        f"{path}: column {name!r}: key {key!r}: write {written!r} with its quotes; without them YAML "
                        f"reads it as {_shown(text)}"
                    )


def _shown(value: Any) -> str:
    return {True: "true", False: "false", None: "null"}[value] if isinstance(value, bool | None) else str(value)
