"""The config reference: every section, key, type, default and description, from the models.

One heading a section, so that each has an anchor: ``config.md#sampling``. Sections that only some
values of a key have (a solver with its options, a kind of suite) stand below the section that names
them. Nothing is said here that the models of :mod:`emulator.config` do not say.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen, MultipleOf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from emulator.config import ExperimentConfig

MARKER = "<!-- config reference -->"
"""Line of docs/config.md in whose place the reference stands."""

SIGNS = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))


def config_reference(model: type[BaseModel] = ExperimentConfig) -> str:
    """Markdown of a whole config.

    Parameters
    ----------
    model
        The config; its keys that are sections have a heading each.

    Returns
    -------
    Markdown with a heading of second level for each section of the config, and of third level for
    each that these name.
    """
    plain = {name: f for name, f in model.model_fields.items() if not _models(f.annotation)}
    parts = [_keys("Top level", plain, 2, model)]
    done: set[type[BaseModel]] = {model}
    for name, field in model.model_fields.items():
        found = _models(field.annotation)
        if len(found) == 1:
            parts.append(_keys(name, found[0].model_fields, 2, found[0]))
            done.add(found[0])
        elif found:
            kinds = ", ".join(f"`{_chosen_by(kind)}`" for kind in found)
            parts.append(f"## {name}\n\nOne of {len(found)} kinds: {kinds}.")
        parts += [_keys(*entry) for entry in _below(name, found, done)]
    return "\n\n".join(parts) + "\n"


def _below(
    path: str, found: list[type[BaseModel]], done: set[type[BaseModel]]
) -> Iterator[tuple[str, Mapping[str, FieldInfo], int, type[BaseModel]]]:
    """Sections below a key, each once, the nearest first."""
    waiting = [(path, model) for model in found]
    while waiting:
        here, model = waiting.pop(0)
        if model not in done:
            done.add(model)
            chosen = _chosen_by(model)
            yield f"{here}: {chosen}" if chosen else here, model.model_fields, 3, model
        waiting += [
            (f"{here}.{name}", kind)
            for name, field in model.model_fields.items()
            for kind in _models(field.annotation)
            if kind not in done
        ]


def _keys(title: str, fields: Mapping[str, FieldInfo], level: int, model: type[BaseModel]) -> str:
    """Heading, docstring and table of a section."""
    head = f"{'#' * level} {title}"
    said = _plain(model.__doc__ or "") if title != "Top level" else ""
    if not fields:
        return "\n\n".join(part for part in (head, said) if part)
    rows = [
        f"| `{name}` | {_cell(type_name(field))} | {_cell(default_of(field))} "
        f"| {_cell(_what(name, field))} |"
        for name, field in fields.items()
    ]
    table = "\n".join(["| key | type | default | what |", "| --- | --- | --- | --- |", *rows])
    return "\n\n".join(part for part in (head, said, table) if part)


def _what(name: str, field: FieldInfo) -> str:
    """Description of a key; of a section the first sentence of its own."""
    if field.description or name in ("kind", "name"):
        return _plain(field.description or "chooses this section")
    found = _models(field.annotation)
    if len(found) != 1:
        return "one of the sections below" if found else ""
    return _plain((found[0].__doc__ or "").partition("\n\n")[0])


def default_of(field: FieldInfo) -> str:
    """Default of a key as YAML has it; "required" where there is none."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel) and set(type(value).model_fields) == {"name"}:
        return f"`{value.model_dump()['name']}`"
    if isinstance(value, BaseModel):
        changed = value.model_dump(mode="json", exclude_defaults=True)
        return f"`{_yaml(changed)}`" if changed else "as below"
    return f"`{_yaml(value)}`"


def type_name(field: FieldInfo) -> str:
    """Type of a key in words, with the bounds of its values."""
    parts = get_args(field.annotation)
    if field.metadata and len(parts) == 2 and parts[1] is NoneType:
        return f"{_bounded(_type(parts[0]), field.metadata)} \\| null"
    return _bounded(_type(field.annotation), field.metadata)


def _type(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _bounded(_type(inner[0]), inner[1:])
    if origin is Literal:
        return " \\| ".join(f"`{_yaml(value)}`" for value in inner)
    if origin in (Union, UnionType):
        return " \\| ".join(dict.fromkeys(_type(part) for part in inner))
    if origin is tuple:
        if inner[-1] is Ellipsis:
            return f"list of {_type(inner[0])}"
        return f"[{', '.join(_type(part) for part in inner)}]"
    if origin in (list, frozenset, set):
        return f"list of {_type(inner[0])}"
    if origin in (dict, Mapping):
        return f"mapping of {_type(inner[1])}"
    return _simple(kind)


def _simple(kind: Any) -> str:
    words = {bool: "true \\| false", int: "integer", float: "number", str: "text", NoneType: "null"}
    if kind in words:
        return words[kind]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        chosen = _chosen_by(kind)
        return " \\| ".join(f"`{name}`" for name in chosen.split(" / ")) if chosen else "section"
    if isinstance(kind, type) and issubclass(kind, PurePath):
        return "path"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " \\| ".join(f"`{entry.value}`" for entry in kind)
    return "any value" if kind is Any else str(getattr(kind, "__name__", kind))


def _bounded(said: str, metadata: Any) -> str:
    metadata = [m for e in metadata for m in (e.metadata if isinstance(e, FieldInfo) else [e])]
    bounds = [
        f"{sign}\N{NO-BREAK SPACE}{getattr(entry, name):g}"
        for entry in metadata
        for kind, name, sign in SIGNS
        if isinstance(entry, kind)
    ]
    bounds += [f"multiple of {e.multiple_of}" for e in metadata if isinstance(e, MultipleOf)]
    if bounds:
        said += f"{',' if said[-1].isdigit() else ''} {', '.join(bounds)}"
    return said + _size(metadata, "characters" if said == "text" else "entries")


def _size(metadata: Sequence[Any], noun: str) -> str:
    """How many a list holds, or a text."""
    low = max((e.min_length for e in metadata if isinstance(e, MinLen)), default=None)
    high = min((e.max_length for e in metadata if isinstance(e, MaxLen)), default=None)
    if low is not None and high is not None:
        return f"; {low} to {high} {noun}"
    if low is None and high is None:
        return ""
    return f"; {high} or fewer {noun}" if low is None else f"; {low} or more {noun}"


def _models(kind: Any) -> list[type[BaseModel]]:
    """Sections in a type, in their order."""
    if isinstance(kind, type) and get_origin(kind) is None:
        return [kind] if issubclass(kind, BaseModel) else []
    inner = get_args(kind)[:1] if get_origin(kind) is Annotated else get_args(kind)
    return list(dict.fromkeys(model for part in inner for model in _models(part)))


def _chosen_by(model: type[BaseModel]) -> str:
    """Names or kinds that choose a section, if it is one of several."""
    for key in ("kind", "name"):
        field = model.model_fields.get(key)
        if field is not None and get_origin(field.annotation) is Literal:
            return " / ".join(map(str, get_args(field.annotation)))
    return ""


def _yaml(value: Any) -> str:
    """A value on one line, as it can stand in a config."""
    if isinstance(value, BaseModel):
        return _yaml(value.model_dump(mode="json", exclude_defaults=True))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_yaml(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if isinstance(value, str):
        return value or '""'
    return f"{value:g}" if isinstance(value, float) and value >= 1.0e6 else json.dumps(value)


def _plain(text: str) -> str:
    """A docstring as Markdown: one paragraph a paragraph, names as literals."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text.replace("``", "`"))
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n")).strip()


def _cell(text: str) -> str:
    """Text that a table can hold."""
    return re.sub(r"(?<!\\)\|", r"\\|", text.replace("\n", " "))
