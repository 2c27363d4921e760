"""YAML files to typed structures; every error names the file, the key, the value and what is allowed."""

import codecs
import difflib
import re
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
import yaml

from pipeline.contract.errors import PipelineError

# UTF-32 first: its mark begins with that of UTF-16.
_OTHER_ENCODINGS = {
    "UTF-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "UTF-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}

T = TypeVar("T", bound=msgspec.Struct)

# libyaml's parser is eight times faster; PyYAML can be built without it.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]
    """A loader to which `1e-05` is a number, as in YAML 1.2 and to DVC, and a repeated key an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is repeated", key_node.start_mark)
            seen.add(key)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def read_mapping(path: Path, as_written: bool = False) -> dict[Any, Any]:
    """Return the mapping at the top of a YAML file, with `as_written` every value as the text that stands there.

    Raises PipelineError where there is none.
    """
    try:
        start = path.read_bytes()
        if name := other_encoding(start):
            raise PipelineError(
                f"{path} is {name}, expected UTF-8: save it as UTF-8 (`>` in Windows PowerShell writes UTF-16)"
            )
        content = yaml.load(start.decode("utf-8-sig"), yaml.BaseLoader if as_written else _Loader)  # noqa: S506 - safe
    except FileNotFoundError:
        raise PipelineError(f"{path} is missing: run this from the project's folder") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        hint = ": put quotes around text that begins with %, @ or `" if "cannot start any token" in str(error) else ""
        raise PipelineError(f"{path} is not readable YAML: {' '.join(str(error).split())}{hint}") from None
    if not isinstance(content, dict):
        raise PipelineError(f"{path}: expected keys and values at the top, found {_kind(content)}")
    return content


def other_encoding(start: bytes) -> str | None:
    """Return the name of the encoding that the first bytes of a file mark, None for UTF-8 or without a mark."""
    return next((name for name, marks in _OTHER_ENCODINGS.items() if start.startswith(marks)), None)


def build(kind: type[T], content: Any, where: str) -> T:
    """Build a structure from a mapping; messages begin with `where`.

    Raises PipelineError for a key that is unknown (with the nearest known one) or missing, and for a value of the
    wrong type or out of range.
    """
    if not isinstance(content, dict):
        raise PipelineError(f"{where}: expected keys and values, found {_kind(content)}")
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key in content:
        if key not in fields:
            raise PipelineError(f"{where}: unknown key {key!r}{nearest(key, fields)}; allowed: {', '.join(fields)}")
    for name, field in fields.items():
        if name not in content:
            if field.required:
                raise PipelineError(f"{where}: the key {name!r} is missing; add it")
            continue
        for key, single in _single(content[name], field.type, name):
            last = key.rpartition(".")[2]
            raise PipelineError(
                f"{where}: key {key!r}: expected a list, found {single!r}; write {last}: [{single}] in the file, or "
                f"{last}=[{single}] with dvc exp run -S"
            )
        try:
            msgspec.convert(content[name], field.type)
        except msgspec.ValidationError as error:
            raise PipelineError(
                f"{where}: key {name!r}: {_expected(field.type, error)}, found {content[name]!r}"
            ) from None
    return msgspec.convert(content, kind)


def nearest(word: Any, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` with the most similar known name, or an empty text where none is similar."""
    names = {name.casefold(): name for name in known}
    match = difflib.get_close_matches(str(word).casefold(), names, n=1)
    return f" (did you mean {names[match[0]]!r}?)" if match else ""


def _single(value: Any, kind: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield the key and the value of each single value, or text, that stands where a list is expected."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (list, tuple) and isinstance(value, str | int | float):
        yield key, value
    elif get_origin(kind) is dict and isinstance(value, dict):
        for name, each in value.items():
            yield from _single(each, get_args(kind)[1], f"{key}.{name}")


def _expected(kind: Any, error: msgspec.ValidationError) -> str:
    if get_origin(kind) is Literal:
        return f"expected one of {', '.join(map(str, get_args(kind)))}"
    if get_origin(kind) is tuple and get_origin(get_args(kind)[0]) is Literal:
        return f"expected a list of {', '.join(map(str, get_args(get_args(kind)[0])))}"
    return str(error).replace("`", "").replace("Expected", "expected").replace(" - at $", " at ")


def _kind(value: Any) -> str:
    return {type(None): "nothing", list: "a list", str: "text"}.get(type(value), f"a {type(value).__name__}")
