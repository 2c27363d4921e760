"""The model file to serve, and the checks that it passes before it answers.

The order: MODEL_PATH, models/champion.onnx (written by promote), models/model.onnx (made by `dvc repro`, served as
`unpromoted`). The first that exists is served or refused: no other file replaces a damaged one.
"""

import logging
from pathlib import Path

import msgspec

from api.requests.decoder import Contract
from api.settings import Settings
from pipeline.contract import dvc_records, signature
from pipeline.contract.dvc_records import project_name
from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import Model
from pipeline.contract.paths import CHAMPION, CHAMPION_RECORD, MODEL
from pipeline.contract.wording import counted

# Uvicorn's own logger: the served model stands among the lines of the start.
log = logging.getLogger("uvicorn.error")


class Served(msgspec.Struct, frozen=True):
    """A verified model and what is known of its file; `version` and `revision` (a git commit) may be unknown.

    `unpromoted`: why it does not count as promoted, None if it does.
    """

    path: Path
    model: Model
    contract: Contract
    md5: str
    unpromoted: str | None
    version: str | None
    revision: str | None

    @property
    def promoted(self) -> bool:
        return self.unpromoted is None

    @property
    def standing(self) -> str:
        return "promoted" if self.promoted else f"unpromoted: {self.unpromoted}"


class NoModelError(PipelineError):
    """No verified model is loaded; the message says why."""


class Serving:
    """The model that answers now: `served`, or None and the `reason`. Each request reads `served` once.

    `artifacts`: the files that the server would serve, first choice first, and whether each was there a second ago.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.served: Served | None = None
        self.reason = "the server is starting"
        self.artifacts: dict[str, bool] = {}

    def now(self) -> Served:
        """Return the model that answers now.

        Raises NoModelError.
        """
        if self.served is None:
            raise NoModelError(self.reason)
        return self.served

    def start(self) -> None:
        """Load the model; if none may serve, `reason` says why and the process lives on.

        Raises OSError if files cannot be read.
        """
        try:
            self.served = load(find(self.settings), self.settings)
        except PipelineError as error:
            self.reason = str(error)
            log.error("not ready: %s", error)
        else:
            log.info("serving %s (%s)", summary(self.served), self.served.standing)


def find(settings: Settings) -> Path:
    """Return the file to serve.

    Raises PipelineError if there is none.
    """
    for path in candidates(settings):
        if path == settings.model_path or path.is_file():
            return path
    raise PipelineError(
        f"there is no model: expected {CHAMPION} or {MODEL} in {Path.cwd()}; run `dvc repro`, or set MODEL_PATH"
    )


def load(path: Path, settings: Settings) -> Served:
    """Read and check a model file: its md5 against DVC's record if there is one, its signature if a key is set, its
    description and its golden rows.

    Raises PipelineError with the reason why it must not serve.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise PipelineError(f"{path} is missing: run `dvc repro` to make a model, or correct MODEL_PATH") from None
    md5 = dvc_records.md5(content)
    recorded = dvc_records.md5_of(path)
    if recorded is not None and recorded != md5:
        raise PipelineError(
            f"{path} has md5 {md5}, but DVC recorded {recorded}: the file was changed or is not whole; "
            "bring it back with `dvc checkout`, or make it again with `dvc repro`"
        )
    if settings.model_public_key:
        signature.verify(path, content, settings.model_public_key)
    try:
        model = Model(content, str(path))
        model.verify()
        contract = Contract(model.description.schema)
    except PipelineError:
        raise
    except Exception as error:  # a graph or description can be damaged in ways that only the libraries can name
        raise PipelineError(f"{path} cannot serve, train it again: {type(error).__name__}: {error}") from error
    champion = dvc_records.champion()
    is_champion = md5 == champion.get("md5")
    revision = settings.git_revision or (champion.get("revision") if is_champion else None)
    version = champion.get("version") if is_champion else None
    return Served(path, model, contract, md5, _unpromoted(path, md5, champion.get("md5")), version, revision)


def candidates(settings: Settings) -> list[Path]:
    """Return the files that the server would serve, first choice first."""
    return [path for path in (settings.model_path, CHAMPION, MODEL) if path]


def summary(served: Served) -> str:
    """Return one line: path, family, number of features, md5."""
    description = served.model.description
    return f"{served.path}: {description.family}, {counted(len(description.features), 'feature')}, md5 {served.md5}"


def _unpromoted(path: Path, md5: str, promoted: str | None) -> str | None:
    """Return why a file is not promoted, None if it is; `promoted` is the md5 that the champion's record names."""
    if project_name(path) == MODEL.as_posix():
        return f"{MODEL} is the pipeline's last result; `make promote` promotes it if the gate permits"
    if promoted is None:
        return f"no {CHAMPION_RECORD} names a promoted model; `make promote` writes it, and Git keeps it"
    return None if md5 == promoted else f"{CHAMPION_RECORD} names another file, md5 {promoted}"
