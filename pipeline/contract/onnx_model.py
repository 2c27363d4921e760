"""The model file: an ONNX graph with a description of itself in its metadata."""

from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import onnxruntime

from pipeline.contract.errors import PipelineError
from pipeline.contract.schema import Column, Schema

KEY = "mlops_boston"  # the metadata property that holds the description as JSON
OUTPUTS = ["prediction", "lower", "upper"]


class Interval(msgspec.Struct, frozen=True):
    """The prediction interval: its nominal coverage `level`, and how it was calibrated."""

    level: float
    method: str


class Training(msgspec.Struct, frozen=True):
    """The training data. `target_median`, the baseline prediction, `target_std`, the unit of tolerances, and `cv_rmse`
    are in the target's unit."""

    rows: int
    sha256: str
    target_median: float
    target_std: float
    cv_rmse: float


class Golden(msgspec.Struct, frozen=True):
    """Rows [n, features] (None: missing) and the outputs [n, 3] that a healthy runtime gives, within `tolerance`."""

    features: list[list[float | None]]
    outputs: list[list[float]]
    tolerance: float


class Description(msgspec.Struct, frozen=True):
    """The description of a model. `imputed`: the value that replaces each feature where it is missing."""

    format: int
    family: str
    settings: dict[str, Any]
    schema: Schema
    features: tuple[str, ...]
    imputed: dict[str, float]
    interval: Interval
    training: Training
    golden: Golden | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The features in the order of the matrix."""
        return self.schema.features


class Model:
    """A loaded model file; `name` names it in messages.

    Raises PipelineError where it is no ONNX model, was not made by this pipeline, or refers to other files.
    """

    def __init__(self, content: bytes, name: str) -> None:
        self.name = name
        options = onnxruntime.SessionOptions()
        # More threads add up trees in another order: the number of cores would change the last digits.
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # its warnings are not for users; errors still raise
        try:
            # From bytes, not from the path: then no graph can make the runtime read another file.
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises bare classes of its own for each kind of damage
            raise PipelineError(f"{name} is no usable ONNX model: {' '.join(str(error).split())}") from None
        self.description = self._describe()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a model file; raises PipelineError where it is missing, and as the class does."""
        try:
            return cls(path.read_bytes(), str(path))
        except FileNotFoundError:
            raise PipelineError(f"{path} is missing: run `dvc repro` to make a model") from None

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """Return float64 [rows, 3] (prediction, lower, upper) for a matrix [rows, features], NaN where missing."""
        answers = self._session.run(OUTPUTS, {"features": np.asarray(matrix, dtype=np.float32)})
        return np.column_stack([np.asarray(answer, dtype=float) for answer in answers])

    def verify(self) -> None:
        """Replay the golden rows; raises PipelineError where the outputs differ from those at the export."""
        golden = self.description.golden
        if golden is None:
            raise PipelineError(f"{self.name} has no golden rows: train it again with this version")
        rows = np.array(golden.features, dtype=float)
        gap = np.abs(self.predict(rows) - np.array(golden.outputs)).max()
        if not gap <= golden.tolerance:
            raise PipelineError(
                f"{self.name} answers its golden rows {gap:.3g} away, more than {golden.tolerance:.3g}: "
                "the file or this installation is damaged; fetch the model again or train it again"
            )

    def _describe(self) -> Description:
        text = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        if text is None:
            raise PipelineError(f"{self.name} was not made by this pipeline: its metadata has no {KEY!r}")
        try:
            description = msgspec.json.decode(text, type=Description)
        except msgspec.MsgspecError as error:
            raise PipelineError(f"{self.name}: this version cannot read its description: {error}") from None
        inputs, outputs = self._session.get_inputs(), [output.name for output in self._session.get_outputs()]
        names = tuple(column.name for column in description.columns)
        if description.features != names or outputs != OUTPUTS or inputs[0].shape[1] != len(names) or len(inputs) != 1:
            raise PipelineError(
                f"{self.name}: its graph and its description disagree: {len(names)} features, input {inputs[0].shape}, "
                f"outputs {', '.join(outputs)}; train it again"
            )
        return description
