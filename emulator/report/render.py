"""From a template of this folder to a page on disk."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from emulator.io import write_text
from emulator.report.page import Section, numbered


def write_page(template: str, output: Path, *, sections: list[Section], **context: Any) -> None:
    """Fill in a template and write the page; a name that the template lacks is an error."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template).render(sections=numbered(sections), **context)
    write_text(output, page)
