"""Verification of a model file's signature, in the format of OpenSSF model-signing.

The package model-signing needs a Sigstore client, which a server has no use for. A signature by an elliptic-curve key
is a Sigstore bundle: a DSSE envelope (https://github.com/secure-systems-lab/dsse) around an in-toto statement with the
SHA-256 of the file.
"""

import hashlib
from pathlib import Path

import msgspec

from pipeline.contract.errors import PipelineError

PAYLOAD = "application/vnd.in-toto+json"
PREDICATE = "https://model_signing/signature/v1.0"


class _Signature(msgspec.Struct, frozen=True):
    sig: bytes  # msgspec decodes the base64 of both


class _Envelope(msgspec.Struct, frozen=True, rename="camel"):
    payload: bytes
    payload_type: str
    signatures: list[_Signature]


class _Bundle(msgspec.Struct, frozen=True, rename="camel"):
    dsse_envelope: _Envelope


class _Predicate(msgspec.Struct, frozen=True):
    resources: list[dict[str, str]]  # `algorithm` and `digest` of each signed file


class _Statement(msgspec.Struct, frozen=True, rename="camel"):
    predicate_type: str
    predicate: _Predicate


def path_of(model: Path) -> Path:
    """Return the path of a model file's signature."""
    return model.with_name(f"{model.name}.sig")


def verify(model: Path, content: bytes, public_key: Path) -> None:
    """Raise PipelineError unless the signature beside `model` is one of exactly this `content` by this key."""
    where = path_of(model)
    way_out = "sign the model with the private key that belongs to MODEL_PUBLIC_KEY (`make sign`), or correct that"
    try:
        envelope = msgspec.json.decode(where.read_bytes(), type=_Bundle).dsse_envelope
        signed = _by_key(envelope, public_key)
        statement = msgspec.json.decode(envelope.payload, type=_Statement)
    except FileNotFoundError:
        raise PipelineError(f"{where} is missing: {way_out}") from None
    except msgspec.MsgspecError as error:
        raise PipelineError(f"{where} is no signature of OpenSSF model-signing ({error}): {way_out}") from None
    if not signed or envelope.payload_type != PAYLOAD:
        raise PipelineError(f"{where} was not made with the key in {public_key}: {way_out}")
    sha256 = hashlib.sha256(content).hexdigest()
    found = [(resource.get("algorithm"), resource.get("digest")) for resource in statement.predicate.resources]
    if statement.predicate_type != PREDICATE or found != [("sha256", sha256)]:
        raise PipelineError(f"{where} signs {found}, but {model} has SHA-256 {sha256}: {way_out}")


def _by_key(envelope: _Envelope, public_key: Path) -> bool:
    # Imported here: a server that checks no signature starts faster without it.
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    # The hash that Sigstore names for each curve.
    algorithms = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384(), "secp521r1": hashes.SHA512()}
    try:
        key = serialization.load_pem_public_key(public_key.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise PipelineError(f"MODEL_PUBLIC_KEY: {public_key} cannot be read as a public key in PEM: {error}") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in algorithms:
        raise PipelineError(f"MODEL_PUBLIC_KEY: {public_key}: expected a key on one of {', '.join(algorithms)}")
    # DSSE's pre-authentication encoding.
    kind = envelope.payload_type.encode()
    message = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(envelope.payload), envelope.payload)
    for signature in envelope.signatures:
        try:
            key.verify(signature.sig, message, ec.ECDSA(algorithms[key.curve.name]))
        except InvalidSignature:
            continue
        return True
    return False
