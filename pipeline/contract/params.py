"""The parameters in `params.yaml`; each section is a frozen, typed structure."""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, overload

import msgspec

from pipeline.contract import paths
from pipeline.contract.errors import PipelineError
from pipeline.contract.yaml_config import build, nearest, read_mapping

Count = Annotated[int, msgspec.Meta(ge=1)]
Seed = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Grid = dict[str, Annotated[list[Any], msgspec.Meta(min_length=1)]]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of params.yaml: frozen, and an unknown key is an error."""


T = TypeVar("T", bound=Section)


class Engine(Section, frozen=True):
    name: Literal["pandas", "dask"]
    in_memory_rows: Count
    memory_share: Share


class Features(Section, frozen=True):
    exclude: tuple[str, ...]


class Clean(Section, frozen=True):
    min_rows: Count
    test_fraction: Share
    folds: Annotated[int, msgspec.Meta(ge=2)]
    max_rejected_fraction: Annotated[float, msgspec.Meta(ge=0, le=1)]


class Train(Section, frozen=True):
    seed: Seed
    interval_level: Share
    search_rows: Count
    max_settings: Count
    max_leaves: Annotated[int, msgspec.Meta(ge=2)]
    device: Literal["cpu", "cuda"]
    families: dict[str, Grid]


class Select(Section, frozen=True):
    rule: Literal["blend", "min", "one_se"]
    onnx_tolerance: Positive
    max_model_mb: Positive
    reference_rows: Count
    background_rows: Annotated[int, msgspec.Meta(ge=0)]
    comparables: bool


class Evaluate(Section, frozen=True):
    seed: Seed
    bootstrap_samples: Count
    level: Share
    importance_repeats: Annotated[int, msgspec.Meta(ge=2)]


class Gate(Section, frozen=True):
    evidence: Literal["all", "test"]
    policy: Literal["superior", "probably_better", "non_inferior"]
    confidence: Share
    alpha: Share
    min_improvement: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    margin: NotNegative
    min_skill: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    max_rmse: Positive | None
    coverage_tolerance: Annotated[float, msgspec.Meta(ge=0, le=1)]
    min_slice_rows: Annotated[int, msgspec.Meta(ge=2)]
    max_slice_regression: NotNegative
    seed: Seed
    samples: Count


class Drift(Section, frozen=True):
    alpha: Share
    min_rows: Count
    min_effect: NotNegative
    min_rate_change: Annotated[float, msgspec.Meta(ge=0, le=1)]
    min_risk: NotNegative
    window_rows: Count
    retrain_on_shift: bool


SECTIONS: dict[str, type[Section]] = {
    kind.__name__.lower(): kind for kind in (Engine, Features, Clean, Train, Select, Evaluate, Gate, Drift)
}


@overload
def load(section: type[T], path: Path = paths.PARAMS) -> T: ...
@overload
def load(section: str, path: Path = paths.PARAMS) -> Any: ...
def load(section: type[Section] | str, path: Path = paths.PARAMS) -> Any:
    """Return the parameters of one section: `load(Clean)`, or untyped, `load("clean")`.

    Raises PipelineError naming the key that is unknown, missing, of another type or out of range.
    """
    name = section if isinstance(section, str) else section.__name__.lower()
    content = read_mapping(path)
    for key in content:
        if key not in SECTIONS:
            raise PipelineError(
                f"{path}: unknown section {key!r}{nearest(key, SECTIONS)}; allowed: {', '.join(SECTIONS)}"
            )
    if name not in content:
        raise PipelineError(f"{path}: the section {name!r} is missing; add it")
    return build(SECTIONS[name], content[name], f"{path}: {name}")
