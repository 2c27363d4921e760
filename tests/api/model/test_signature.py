"""Signatures of OpenSSF model-signing, made by that package, checked as the server checks them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pipeline.contract import signature
from pipeline.contract.errors import PipelineError
from tests.api.conftest import Example, until
from tests.api.test_server import Server
from tests.conftest import Project

CURVES = {"256": ec.SECP256R1(), "384": ec.SECP384R1(), "521": ec.SECP521R1()}


def keys(folder: Path, curve: ec.EllipticCurve = CURVES["256"]) -> tuple[Path, Path]:
    """Write a new private and its public key; return their paths."""
    folder.mkdir(exist_ok=True)
    private, public = folder / "key.pem", folder / "key.pub"
    key = ec.generate_private_key(curve)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(*form))
    write_public(public, key)
    return private, public


def write_public(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    path.write_bytes(key.public_key().public_bytes(*form))


def sign(model: Path, private: Path) -> None:
    command = ["sign", "key", "--private_key", private, "--signature", signature.path_of(model), model]
    subprocess.run([sys.executable, "-m", "model_signing", *command], capture_output=True, check=True)


def refusal(model: Path, public: Path) -> str:
    with pytest.raises(PipelineError) as caught:
        signature.verify(model, model.read_bytes(), public)
    return str(caught.value)


@pytest.mark.parametrize("curve", CURVES)
def test_the_key_that_signed_is_known(curve: str, tmp_path: Path) -> None:
    """A signature made by model-signing passes with its key, on each curve that it supports, and with no other key; one
    more byte in the model is refused."""
    private, public = keys(tmp_path, CURVES[curve])
    model = tmp_path / "model.onnx"
    model.write_bytes(b"a model")
    sign(model, private)
    signature.verify(model, b"a model", public)
    assert "was not made with the key in" in refusal(model, keys(tmp_path / "other", CURVES[curve])[1])
    model.write_bytes(b"a model.")
    assert "has SHA-256" in refusal(model, public)


def test_a_signature_that_is_none_is_refused(tmp_path: Path) -> None:
    """A missing, damaged or altered signature, no key and a key of another kind are refused, each with its reason."""
    private, public = keys(tmp_path)
    model = tmp_path / "model.onnx"
    model.write_bytes(b"a model")
    made = signature.path_of(model)
    assert f"{made} is missing" in refusal(model, public)
    sign(model, private)
    whole = made.read_text()
    for damaged in ("", "{}", whole[:200], whole.replace('"sig":"M', '"sig":"?'), '{"dsseEnvelope": {}}'):
        made.write_text(damaged)
        assert "is no signature of OpenSSF model-signing" in refusal(model, public)
    # Another statement under the same signature.
    payload = whole.split('"payload":"')[1].split('"')[0]
    made.write_text(whole.replace(payload, payload[:-8] + "ICAgfX0K"))
    assert "is no signature" in refusal(model, public) or "was not made with" in refusal(model, public)
    made.write_text(whole.replace("in-toto+json", "in-toto+jsom"))
    assert "was not made with the key" in refusal(model, public)
    made.write_text(whole)
    write_public(public, rsa.generate_private_key(public_exponent=65537, key_size=2048))
    assert "expected a key on one of secp256r1" in refusal(model, public)
    public.write_text("no key")
    assert "cannot be read as a public key" in refusal(model, public)


def test_a_server_with_a_key_serves_signed_models_alone(example: Example, tmp_path: Path) -> None:
    """With MODEL_PUBLIC_KEY, /ready is 503 and names the missing signature, and the server is ready within seconds
    after the model is signed; without the variable it never loads the library."""
    private, public = keys(tmp_path / "keys")
    model = tmp_path / "model.onnx"
    shutil.copy(example.path, model)
    with Server(tmp_path, MODEL_PATH=str(model), MODEL_PUBLIC_KEY=str(public)) as server:
        answer = httpx.get(f"{server.url}/ready")
        assert answer.status_code == 503
        assert f"{model}.sig is missing" in answer.text
        assert httpx.post(f"{server.url}/predict", json={}).status_code == 503
        sign(model, private)
        until(lambda: httpx.get(f"{server.url}/ready").status_code == 200)
        modules, _ = server.stop()
    assert not {"model_signing", "sigstore"} & modules
    with Server(tmp_path, MODEL_PATH=str(model)) as unchecked:
        assert httpx.get(f"{unchecked.url}/ready").status_code == 200
        modules, _ = unchecked.stop()
    assert "cryptography" not in modules


def test_promote_signs(reproduced: Project, tmp_path: Path) -> None:
    """With MODEL_SIGNING_KEY the commit of a promotion has the signature of the champion; a key that is none ends it
    before anything changes, and `make sign` is for a champion that has none. The gate asks for none."""
    private, public = keys(tmp_path)
    champion = reproduced.path("models/champion.onnx")
    reproduced.env["MODEL_PUBLIC_KEY"] = str(public)
    reproduced.ops("gate")
    reproduced.edit_params(lambda p: p["drift"].update(min_rows=31))
    reproduced.dvc("repro")
    before = reproduced.run("git", "status", "--short").stdout, reproduced.run("git", "log", "--format=%h").stdout
    reproduced.env["MODEL_SIGNING_KEY"] = "no key"
    assert "could not be signed" in reproduced.ops("registry", "promote", code=1).stderr
    assert not champion.exists()
    assert not signature.path_of(champion).exists()
    after = reproduced.run("git", "status", "--short").stdout, reproduced.run("git", "log", "--format=%h").stdout
    assert after == before
    reproduced.env["MODEL_SIGNING_KEY"] = private.read_text()
    reproduced.ops("registry", "promote")
    assert "models/champion.onnx.sig" in reproduced.run("git", "show", "--name-only", "HEAD").stdout
    signature.verify(champion, champion.read_bytes(), public)
    os.remove(signature.path_of(champion))
    assert "models/champion.onnx.sig signs" in reproduced.ops("registry", "sign").stdout
    signature.verify(champion, champion.read_bytes(), public)
    del reproduced.env["MODEL_SIGNING_KEY"]
    assert "MODEL_SIGNING_KEY is not set" in reproduced.ops("registry", "sign", code=1).stderr
