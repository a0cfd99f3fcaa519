"""Unions of sections that are told apart by their ``name``; a plain name is short for its section.

An option that its section does not have is an error that says which ones it has, and whose it is.
"""

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from emulator.config.section import Section


class Named:
    """Annotation of a union of sections: what it accepts, and what it says of the rest.

    Parameters
    ----------
    what
        What the union chooses, for messages: the key of the config.
    union
        Sections whose field ``name`` is a literal of one or more names.
    """

    def __init__(self, what: str, union: Any) -> None:
        self.what = what
        self.sections: dict[str, type[Section]] = {
            name: section
            for section in get_args(union)
            for name in get_args(section.model_fields["name"].annotation)
        }

    def options(self, name: str) -> list[str]:
        """Options of a name."""
        return [key for key in self.sections[name].model_fields if key != "name"]

    def owners(self, option: str) -> list[str]:
        """Names that have an option."""
        return [name for name in self.sections if option in self.options(name)]

    def expand(self, value: Any) -> Any:
        """A plain name as the section that it is short for.

        Raises
        ------
        ValueError
            A name that does not exist, or an option that belongs to another one.
        """
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, Mapping):
            return value
        if "name" not in value:
            raise ValueError(f"no name of a {self.what}; there are {', '.join(self.sections)}")
        name = value["name"]
        if not isinstance(name, str) or name not in self.sections:
            raise ValueError(f"unknown {self.what} {name!r}; there are {', '.join(self.sections)}")
        foreign = [key for key in value if key not in ("name", *self.options(name))]
        if foreign:
            raise ValueError("; ".join(self._explained(key, name) for key in foreign))
        return value

    def _explained(self, key: str, name: str) -> str:
        """Which options a name has instead, and whose the key is."""
        own, owners = ", ".join(self.options(name)), ", ".join(self.owners(key))
        fault = f"{key} is no option of {name}, which has {own or 'none'}"
        return f"{fault} (it belongs to {owners})" if owners else fault

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The union, after :meth:`expand`."""
        return core_schema.no_info_before_validator_function(self.expand, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """A name or a section."""
        return {"anyOf": [{"enum": list(self.sections), "type": "string"}, handler(schema)]}
