"""Settings: from the environment, typed, refused by name."""

import re
from pathlib import Path

import pytest
import yaml

from api import settings
from api.keys import SCOPES, Key, digest
from api.settings import Settings
from pipeline.contract.errors import PipelineError
from tests.conftest import ROOT


def key(secret: str, name: str, *scopes: str) -> Key:
    return Key(digest(secret.encode()), name, frozenset(scopes))


def test_defaults() -> None:
    """Without variables the project's own models are served to all, by one process; a body may have 65,536 bytes, a
    batch 1000 rows; the log is a file of the project, required, on the disk before an answer leaves, and keeps ten
    million rows."""
    assert settings.load({}) == Settings()
    assert Settings() == Settings(
        *(None, 65536, None, (), (), "info", None, 1, 1000, 2**23),
        *("sqlite:///data/log/predictions.db", "FULL", True, 0, 10_000_000, None),
    )


def test_every_variable_is_read() -> None:
    """Each variable reaches its setting."""
    given = {
        "MODEL_PATH": ("a/b.onnx", Path("a/b.onnx")),
        "MODEL_PUBLIC_KEY": ("key.pub", Path("key.pub")),
        "API_MAX_BODY": ("10", 10),
        "GIT_REVISION": ("abc", "abc"),
        "API_KEYS": (
            "one, crm:predict+feedback:t:wo",
            (key("one", "key1", *SCOPES), key("t:wo", "crm", "predict", "feedback")),
        ),
        "ALLOWED_HOSTS": ("a.example,*.b.example", ("a.example", "*.b.example")),
        "LOG_LEVEL": ("Warning", "warning"),
        "LOG_FORMAT": ("json", "json"),
        "WORKERS": ("3", 3),
        "API_MAX_BATCH": ("2", 2),
        "API_MAX_BATCH_BODY": ("30", 30),
        "PREDICTION_LOG_URL": ("sqlite:///x.db", "sqlite:///x.db"),
        "LOG_SYNCHRONOUS": ("normal", "NORMAL"),
        "LOG_REQUIRED": ("False", False),
        "LOG_MAX_DAYS": ("4", 4),
        "LOG_MAX_ROWS": ("5", 5),
        "PORT": ("6", 6),
        "BIND_ADDRESS": ("10.0.0.1", "10.0.0.1"),
        "ALLOW_ANONYMOUS_FEEDBACK": ("TRUE", True),
        "ROOT_PATH": ("/a-1/b", "/a-1/b"),
        "DRAIN_SECONDS": ("7", 7),
    }
    assert set(given) == set(settings.NAMES)
    expected = Settings(**{name.lower(): value for name, (_, value) in given.items()})
    assert settings.load({name: text for name, (text, _) in given.items()}) == expected


def test_an_empty_variable_is_an_absent_one() -> None:
    """An image that sets a variable to nothing has not set it."""
    assert settings.load(dict.fromkeys(settings.NAMES, "")) == settings.load({})


@pytest.mark.parametrize("text", ["0", "-1", "64k", "1_000", " 5", "1e3", "²", "9" * 30, str(2**31)])
def test_an_invalid_number_is_refused_by_name(text: str) -> None:
    """A value that is no whole number in range names the variable and the value."""
    with pytest.raises(PipelineError, match="API_MAX_BODY") as raised:
        settings.load({"API_MAX_BODY": text})
    assert repr(text) in str(raised.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("LOG_REQUIRED", "0"),
        ("LOG_SYNCHRONOUS", "EXTRA"),
        ("WORKERS", "two"),
        ("PORT", "70000"),
        ("ALLOWED_HOSTS", "a,,b"),
        ("ALLOWED_HOSTS", "a b"),
        ("ALLOWED_HOSTS", "a.*.example"),
        ("ALLOW_ANONYMOUS_FEEDBACK", "yes"),
        ("ROOT_PATH", "housing"),
        ("ROOT_PATH", "/housing/"),
    ],
)
def test_any_invalid_value_is_refused_by_name(name: str, text: str) -> None:
    """Every variable with a value that is not understood is named with that value."""
    with pytest.raises(PipelineError, match=f"environment variable {name}") as raised:
        settings.load({name: text})
    assert repr(text) in str(raised.value)


KEYS = (",", "s3cret,", "s3cret key", "s3crét", "s3cret,s3cret", "crm:s3cret", "crm:predict:", "crm::s3cret")
NAMED = (
    ":predict:s3cret",
    "a b:predict:s3cret",
    f"{'x' * 33}:predict:s3cret",
    "crm:sell:s3cret",
    "crm:predict+:s3cret",
    "crm;predict;s3cret",
    "crm:predict,feedback,s3cret",
)


@pytest.mark.parametrize("text", [*KEYS, *NAMED])
def test_invalid_keys_are_refused_and_not_shown(text: str) -> None:
    """Keys that cannot be sent, are missing between commas, there twice, or have no name or an unknown scope, stop the
    start; none of them is in the message."""
    with pytest.raises(PipelineError, match="API_KEYS") as raised:
        settings.load({"API_KEYS": text})
    assert "s3cr" not in str(raised.value)


def test_settings_hold_no_key() -> None:
    """Printed settings show no key."""
    assert "s3cret" not in repr(settings.load({"API_KEYS": "s3cret"}))


@pytest.mark.parametrize(
    ("wrong", "right"), [("API_KEY", "API_KEYS"), ("API_MAXBODY", "API_MAX_BODY"), ("API_PORT", "PORT")]
)
def test_a_misspelt_name_is_refused(wrong: str, right: str) -> None:
    """A name that is nearly one of ours would leave a server open or unlimited: the start stops and says which was
    meant. Names of other programs are none of our business."""
    with pytest.raises(PipelineError, match=rf"variable {wrong}: .*did you mean '{right}'"):
        settings.load({wrong: "1"})
    settings.load({"API_GATEWAY_URL": "x", "KEYS": "y"})


def test_variables_of_a_service_link_are_ignored() -> None:
    """Kubernetes describes a Service named `api` to every container by variables that resemble ours."""
    address = "10.0.0.7"
    link = {
        "API_SERVICE_HOST": address,
        "API_SERVICE_PORT": "80",
        "API_SERVICE_PORT_HTTP": "80",
        "API_PORT": f"tcp://{address}:80",
    }
    link |= {
        f"API_PORT_80_TCP{end}": text
        for end, text in [("", f"tcp://{address}:80"), ("_PROTO", "tcp"), ("_PORT", "80"), ("_ADDR", address)]
    }
    link |= {"API_MAX_BODIES_SERVICE_HOST": address, "API_KEY_PORT": f"udp://{address}:1"}
    assert settings.load(link) == settings.load({})


def test_compose_gives_keys() -> None:
    """The server of compose.yaml gets its caller's keys, and one that opens the metrics alone, which Prometheus has."""
    compose, prometheus = (
        yaml.safe_load((ROOT / name).read_text()) for name in ("compose.yaml", "deploy/prometheus.yml")
    )
    given = {"API_KEYS": "crm:predict:a", "METRICS_KEY": "b", "POSTGRES_PASSWORD": "c"}
    variables = compose["services"]["api"]["environment"].items()
    loaded = settings.load(
        {name: re.sub(r"\$\{(\w+):\?.*?\}", lambda m: given[m[1]], text) for name, text in variables}
    )
    assert loaded.api_keys == (key("a", "crm", "predict"), key("b", "prometheus", "metrics"))
    [secret] = compose["services"]["prometheus"]["secrets"]
    assert compose["secrets"][secret] == {"environment": "METRICS_KEY"}
    [job] = prometheus["scrape_configs"]
    assert job["authorization"] == {"credentials_file": f"/run/secrets/{secret}"}


def test_every_setting_is_documented() -> None:
    """docs/serving.md has a line for each variable, and the README lists them."""
    page, readme = ((ROOT / name).read_text(encoding="utf-8") for name in ("docs/serving.md", "README.md"))
    assert [name for name in settings.NAMES if f"| `{name}` |" not in page] == []
    assert [name for name in settings.NAMES if f"`{name}`" not in readme] == []
