"""The tunables of `params.yaml`, read once into one frozen, typed structure a section."""

from pathlib import Path
from typing import Annotated, Any, Literal, overload

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
    """What every section shares: frozen, and no key that the code does not know."""


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
    max_leaves: Annotated[int, msgspec.Meta(ge=2)]
    device: Literal["cpu", "cuda"]
    families: dict[str, Grid]


class Select(Section, frozen=True):
    rule: Literal["min", "one_se"]
    onnx_tolerance: Positive
    max_model_mb: Positive
    reference_rows: Count


class Evaluate(Section, frozen=True):
    seed: Seed
    bootstrap_samples: Count
    level: Share
    importance_repeats: Annotated[int, msgspec.Meta(ge=2)]


class Gate(Section, frozen=True):
    policy: Literal["superior", "non_inferior"]
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
    "engine": Engine,
    "features": Features,
    "clean": Clean,
    "train": Train,
    "select": Select,
    "evaluate": Evaluate,
    "gate": Gate,
    "drift": Drift,
}


@overload
def load(section: Literal["engine"], path: Path = paths.PARAMS) -> Engine: ...
@overload
def load(section: Literal["features"], path: Path = paths.PARAMS) -> Features: ...
@overload
def load(section: Literal["clean"], path: Path = paths.PARAMS) -> Clean: ...
@overload
def load(section: Literal["train"], path: Path = paths.PARAMS) -> Train: ...
@overload
def load(section: Literal["select"], path: Path = paths.PARAMS) -> Select: ...
@overload
def load(section: Literal["evaluate"], path: Path = paths.PARAMS) -> Evaluate: ...
@overload
def load(section: Literal["gate"], path: Path = paths.PARAMS) -> Gate: ...
@overload
def load(section: Literal["drift"], path: Path = paths.PARAMS) -> Drift: ...
def load(section: str, path: Path = paths.PARAMS) -> Section:
    """One section's parameters.

    Raises PipelineError naming the key that is unknown, missing, of another type or out of range.
    """
    content = read_mapping(path)
    for name in content:
        if name not in SECTIONS:
            raise PipelineError(
                f"{path}: unknown section {name!r}{nearest(name, SECTIONS)}; allowed: {', '.join(SECTIONS)}"
            )
    if section not in content:
        raise PipelineError(f"{path}: the section {section!r} is missing; add it")
    return build(SECTIONS[section], content[section], f"{path}: {section}")
