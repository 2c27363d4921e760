"""Settings: from the environment, typed, refused by name."""

from pathlib import Path

import pytest

from api import settings
from api.settings import Settings
from stages.errors import PipelineError


def test_defaults() -> None:
    """Without variables the project's own models are served, a body may have 65,536 bytes, a batch 1000 rows, and the
    log is a file of the project, required, on the disk before an answer leaves, and never pruned."""
    assert settings.load({}) == Settings()
    assert Settings() == Settings(
        None, 65536, None, 1000, 2**23, "sqlite:///data/log/predictions.db", "FULL", True, 0, 0
    )


def test_every_variable_is_read() -> None:
    """Each variable reaches its setting."""
    given = {"MODEL_PATH": "a/b.onnx", "API_MAX_BODY": "10", "GIT_REVISION": "abc"}
    given |= {"API_MAX_BATCH": "2", "API_MAX_BATCH_BODY": "30", "PREDICTION_LOG_URL": "sqlite:///x.db"}
    given |= {"LOG_SYNCHRONOUS": "normal", "LOG_REQUIRED": "False", "LOG_MAX_DAYS": "4", "LOG_MAX_ROWS": "5"}
    assert settings.load(given) == Settings(Path("a/b.onnx"), 10, "abc", 2, 30, "sqlite:///x.db", "NORMAL", False, 4, 5)


def test_an_empty_variable_is_an_absent_one() -> None:
    """An image that sets a variable to nothing has not set it."""
    assert settings.load({"MODEL_PATH": "", "API_MAX_BODY": "", "GIT_REVISION": ""}) == settings.load({})


@pytest.mark.parametrize(("name", "text"), [("LOG_REQUIRED", "0"), ("LOG_SYNCHRONOUS", "EXTRA")])
def test_a_word_that_is_not_allowed_is_refused_by_name(name: str, text: str) -> None:
    """A setting with fixed words names the variable, the value and the words."""
    with pytest.raises(PipelineError, match=f"{name}: expected .* or .*, found '{text}'"):
        settings.load({name: text})


@pytest.mark.parametrize("text", ["0", "-1", "64k", "1_000", " 5", "1e3", "²", "9" * 30, str(2**31)])
def test_an_invalid_number_is_refused_by_name(text: str) -> None:
    """A value that is no whole number in range names the variable and the value."""
    with pytest.raises(PipelineError, match="API_MAX_BODY") as raised:
        settings.load({"API_MAX_BODY": text})
    assert repr(text) in str(raised.value)
