"""The model file: an ONNX graph with a description of itself in its metadata."""

from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import onnxruntime

from pipeline.contract.columns import matrix_columns
from pipeline.contract.description import FORMAT, Description
from pipeline.contract.errors import PipelineError

KEY = "mlops_boston"  # the metadata property that holds the description as JSON
INPUT = "features"
OUTPUTS = ["prediction", "lower", "upper"]
ROWS_AT_ONCE = 1_000  # of a prediction: a Gaussian process computes a number for each of its rows and each of these


class Model:
    """A loaded model file of any format; `name` names it in messages.

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
        # Files of format 1 take float32.
        self._dtype = np.float32 if self.description.format == 1 else np.float64

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a model file; raises PipelineError where it is missing, and as the class does."""
        try:
            return cls(path.read_bytes(), str(path))
        except FileNotFoundError:
            raise PipelineError(f"{path} is missing: run `dvc repro` to make a model") from None

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """Return float64 [rows, 3] (prediction, lower, upper) for a matrix [rows, features], NaN where missing."""
        matrix = self.inputs(matrix)
        starts = range(0, max(len(matrix), 1), ROWS_AT_ONCE)
        pieces = [self._session.run(OUTPUTS, {INPUT: matrix[start : start + ROWS_AT_ONCE]}) for start in starts]
        answers = [np.concatenate(piece, axis=1, dtype=float) for piece in pieces]
        return np.vstack(answers) if len(answers) > 1 else answers[0]

    def inputs(self, matrix: np.ndarray) -> np.ndarray:
        """Return a matrix of the numbers that the graph takes: float32 in a file of format 1, else float64."""
        return np.asarray(matrix, dtype=self._dtype)

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
        if description.format > FORMAT:
            raise PipelineError(
                f"{self.name} has format {description.format}, and this version reads formats up to {FORMAT}: "
                "serve it with the version that made it, or a later one"
            )
        inputs, outputs = self._session.get_inputs(), [output.name for output in self._session.get_outputs()]
        names = tuple(column.name for column in description.columns)
        width = len(matrix_columns(description.columns))
        if description.features != names or outputs != OUTPUTS or inputs[0].shape[1] != width or len(inputs) != 1:
            raise PipelineError(
                f"{self.name}: its graph and its description disagree: {width} columns, input {inputs[0].shape}, "
                f"outputs {', '.join(outputs)}; train it again"
            )
        return description
