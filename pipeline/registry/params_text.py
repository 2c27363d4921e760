"""The format of params.yaml, which `dvc exp run --set-param` and `dvc exp apply` lose.

DVC writes one line for each item of a list, and nothing for `null`. The last commit still has the format, so its text
gets the new values.
"""

import math
import re
from collections.abc import Iterator

import yaml

_COMMENT = re.compile(r"(?m)(?:^|(?<=\s))#.*$")


def in_format_of(committed: str, text: str) -> str | None:
    """Return the committed text with the values of `text`, which DVC wrote.

    None where a person wrote `text` (it has a list in one line, or other comments), where it has other keys, and where
    it or the result cannot be read.
    """
    try:
        old, new = _values(committed), _values(text)
        if not _has_list_in_one_line(old) or _has_list_in_one_line(new) or list(old) != list(new):
            return None
        result, end = "", 0
        for key, before in old.items():
            if _value(before) != _value(new[key]):
                result += committed[end : before.start_mark.index] + _written(new[key])
                end = before.end_mark.index
        result += committed[end:]
        # Where the committed value is no scalar and no list in one line, the result is not what was meant.
        whole = list(map(_value, _values(result).values())) == list(map(_value, new.values()))
    except yaml.YAMLError:
        return None
    return result if whole and _COMMENT.findall(result) == _COMMENT.findall(text) else None


def _values(text: str) -> dict[tuple[str, ...], yaml.Node]:
    """Return each value that is no mapping with keys of its own, by its keys."""

    def walk(node: yaml.Node | None, key: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], yaml.Node]]:
        if isinstance(node, yaml.MappingNode) and node.value:
            for name, inner in node.value:
                yield from walk(inner, (*key, name.value))
        elif node:
            yield key, node

    return dict(walk(yaml.compose(text, yaml.SafeLoader), ()))


def _has_list_in_one_line(values: dict[tuple[str, ...], yaml.Node]) -> bool:
    return any(isinstance(node, yaml.SequenceNode) and node.flow_style and node.value for node in values.values())


def _value(node: yaml.Node) -> str:
    """Return the same text for the same value, however it is written: 0.1 and 0.10, but not 1 and 1.0."""
    return repr(yaml.safe_load(_written(node)))


def _written(node: yaml.Node) -> str:
    """Return a value in one line of YAML."""
    if isinstance(node, yaml.SequenceNode):
        return f"[{', '.join(map(_written, node.value))}]"
    if node.tag == "tag:yaml.org,2002:null":
        return "null"
    # In a list, so that text with a comma has quotes; `...` would end a value that stands alone.
    inside = yaml.SequenceNode("tag:yaml.org,2002:seq", [node], flow_style=True)
    return str(yaml.serialize(inside, width=math.inf))[1:-2]
