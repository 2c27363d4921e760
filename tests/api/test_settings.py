"""Settings: from the environment, typed, refused by name."""

from pathlib import Path

import pytest

from api import settings
from api.settings import Settings
from stages.errors import PipelineError


def test_defaults() -> None:
    """Without variables the project's own models are served and a body may have 65,536 bytes."""
    assert settings.load({}) == Settings(None, 65536, None)


def test_every_variable_is_read() -> None:
    """Each variable reaches its setting."""
    given = {"MODEL_PATH": "a/b.onnx", "API_MAX_BODY": "10", "GIT_REVISION": "abc"}
    assert settings.load(given) == Settings(Path("a/b.onnx"), 10, "abc")


def test_an_empty_variable_is_an_absent_one() -> None:
    """An image that sets a variable to nothing has not set it."""
    assert settings.load({"MODEL_PATH": "", "API_MAX_BODY": "", "GIT_REVISION": ""}) == settings.load({})


@pytest.mark.parametrize("text", ["0", "-1", "64k", "1_000", " 5", "1e3", "²", "9" * 30, str(2**31)])
def test_an_invalid_number_is_refused_by_name(text: str) -> None:
    """A value that is no whole number in range names the variable and the value."""
    with pytest.raises(PipelineError, match="API_MAX_BODY") as raised:
        settings.load({"API_MAX_BODY": text})
    assert repr(text) in str(raised.value)
