"""A section of the page in the words of its domain (:mod:`emulator.wording`)."""

import dataclasses

from emulator.domain import Domain
from emulator.report.page import Picture, Section, Table
from emulator.wording import say


def translate(section: Section, domain: Domain) -> None:
    """Say title, captions and tables in the words of the domain; listings are data and stay."""
    if domain.is_matter:
        return
    section.title, section.intro = say(section.title, domain), say(section.intro, domain)
    section.missing = [say(text, domain) for text in section.missing]
    section.pictures = [_picture(picture, domain) for picture in section.pictures]
    section.tables = [_table(table, domain) for table in section.tables]


def _picture(picture: Picture, domain: Domain) -> Picture:
    return dataclasses.replace(
        picture, alt=say(picture.alt, domain), caption=say(picture.caption, domain)
    )


def _table(table: Table, domain: Domain) -> Table:
    """Cells hold labels of fields, which are the user's words, and numbers."""
    header = [say(text, domain) for text in table.header]
    return dataclasses.replace(table, header=header, caption=say(table.caption, domain))
