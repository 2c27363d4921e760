"""The model file as its readers see it: an ONNX graph that describes itself. Light enough for the server."""

from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import onnxruntime

from pipeline.contract.errors import PipelineError
from pipeline.contract.schema import Column, Schema

KEY = "mlops_boston"  # of the metadata property that holds the description as JSON
OUTPUTS = ["prediction", "lower", "upper"]


class Interval(msgspec.Struct, frozen=True):
    level: float
    method: str


class Training(msgspec.Struct, frozen=True):
    """The training data. `target_median` is the prediction that a useful model must beat; `target_std` is
    the unit of tolerances; `cv_rmse` is in the target's unit."""

    rows: int
    sha256: str
    target_median: float
    target_std: float
    cv_rmse: float


class Golden(msgspec.Struct, frozen=True):
    """Rows [n, features] (None: missing) and the answers [n, 3] that a healthy runtime gives within `tolerance`."""

    features: list[list[float | None]]
    outputs: list[list[float]]
    tolerance: float


class Description(msgspec.Struct, frozen=True):
    """All that a server, a gate or a reader must know of a model. `imputed`: what replaces each missing feature."""

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
    """A loaded model file.

    Raises PipelineError where it is no ONNX, not one of ours or wants data outside of itself.
    """

    def __init__(self, content: bytes, name: str) -> None:
        """`name` stands in messages."""
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
        try:
            return cls(path.read_bytes(), str(path))
        except FileNotFoundError:
            raise PipelineError(f"{path} is missing: run `dvc repro` to make a model") from None

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """Float64 [rows, 3]: prediction, lower, upper, from [rows, features] with NaN for missing."""
        answers = self._session.run(OUTPUTS, {"features": np.asarray(matrix, dtype=np.float32)})
        return np.column_stack([np.asarray(answer, dtype=float) for answer in answers])

    def verify(self) -> None:
        """Replay the golden rows.

        Raises PipelineError where this runtime answers otherwise than the one that exported the model.
        """
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
            raise PipelineError(f"{self.name}: its description is not as this version expects: {error}") from None
        inputs, outputs = self._session.get_inputs(), [output.name for output in self._session.get_outputs()]
        names = tuple(column.name for column in description.columns)
        if description.features != names or outputs != OUTPUTS or inputs[0].shape[1] != len(names) or len(inputs) != 1:
            raise PipelineError(
                f"{self.name}: its graph and its description disagree: {len(names)} features, input {inputs[0].shape}, "
                f"outputs {', '.join(outputs)}; train it again"
            )
        return description
