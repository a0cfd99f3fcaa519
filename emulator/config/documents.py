"""YAML documents, read strictly: what PyYAML accepts in silence and no config means is refused.

A key that stands twice (PyYAML keeps the last), aliases that expand without end, and files that are
no UTF-8 text are errors that name file and line.
"""

import reprlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from emulator.config.section import ConfigError
from emulator.io import DataError, read_text

_MOST_FAULTS = 40

MOST_NODES = 100_000
"""Values of a document with its aliases written out; a real config has hundreds."""


def read_document(path: str | Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises
    ------
    ConfigError
        A missing file, no UTF-8, no YAML, a key twice (with both lines), aliases that expand to
        more than :data:`MOST_NODES` values, or no mapping.
    """
    path = Path(path)
    try:
        text = read_text(path, "a config file")
    except DataError as error:
        raise ConfigError(str(error)) from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _require_sound(node, path)
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = str(error).replace('"<unicode string>", ', "")
        raise ConfigError(f"{path}: not valid YAML ({said})") from error
    if not isinstance(value, Mapping):
        raise ConfigError(f"{path}: expected a mapping of sections, got {type(value).__name__}")
    return dict(value)


def shorten(value: Any) -> str:
    """A value for a message: whatever it is, one short line."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 80
    short.maxlevel = 3
    return short.repr(value)


def shorten_error(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """What is wrong with a document, fault by fault: where, why, and what stands there.

    Parameters
    ----------
    error
        What pydantic found.
    model
        Of the document; with it an unknown key is told beside the one that it resembles.
    """
    lines = [_explained(item, model) for item in error.errors()[:_MOST_FAULTS]]
    more = error.error_count() - len(lines)
    return "\n".join([*lines, *([f"  ... and {more} more"] if more else [])])


def _explained(fault: ErrorDetails, model: type[BaseModel] | None) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if not where:  # of several sections together: the message names them
        return f"  {_reason(fault, model)}"
    return f"  {where}: {_reason(fault, model)} (got {shorten(fault['input'])})"


def _reason(fault: ErrorDetails, model: type[BaseModel] | None) -> str:
    """In the words of a config, not those of Python."""
    context = fault.get("ctx", {})
    match fault["type"]:
        case "extra_forbidden":
            *place, key = map(str, fault["loc"])
            close = get_close_matches(key, _keys(model, place) if model else (), n=1)
            return f"unknown key; did you mean {close[0]}?" if close else "unknown key"
        case "tuple_type" | "list_type":
            return "expected a list, as in [a, b]"
        case "union_tag_invalid":
            return f"{context['discriminator']}: expected one of {context['expected_tags']}"
        case _:
            return fault["msg"].removeprefix("Value error, ")


def _keys(model: type[BaseModel], place: Sequence[str]) -> list[str]:
    """Keys that may stand at a place; of a union, those of the member whose kind is told."""
    models = [model]
    for part in place:
        fields = [each.model_fields[part] for each in models if part in each.model_fields]
        inner = [found for field in fields for found in _models(field.annotation)]
        models = inner or [each for each in models if _is_kind(each, part)] or models
    return [key for each in models for key in each.model_fields]


def _is_kind(model: type[BaseModel], name: str) -> bool:
    return any(name in get_args(field.annotation) for field in model.model_fields.values())


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _require_sound(root: yaml.Node, path: Path) -> None:
    """No key twice, and no document that is larger than it looks."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = MOST_NODES + 1  # of a node that contains itself
            sizes[id(node)] = 1 + sum(map(size, _children(node, path)))
        return sizes[id(node)]

    if size(root) > MOST_NODES:
        raise ConfigError(
            f"{path}: its aliases expand to more than {MOST_NODES} values; write them out"
        )


def _children(node: yaml.Node, path: Path) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if not isinstance(node, yaml.MappingNode):
        return []
    lines: dict[str, int] = {}
    for key, _ in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if isinstance(key, yaml.ScalarNode) and name in lines:
            raise ConfigError(
                f"{path}: key {name!r} stands twice, in line {lines[name]} and in line {line}; "
                "only one of them would count"
            )
        lines[name] = line
    return [part for pair in node.value for part in pair]
