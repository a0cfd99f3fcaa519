"""HTML pages as tests read them: tags, their nesting, and the text."""

import re
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Collects tags, checks that they nest, and joins the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.stack, self.text = [], [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, name):
        return [attrs for tag, attrs in self.tags if tag == name]


def require_self_contained(html):
    """A well-formed page that asks no network for anything; its parse."""
    page = Page(html)
    assert page.stack == []
    assert not any("src" in script for script in page.all("script"))
    assert not page.all("link")
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert all(image["src"].startswith("data:image/") for image in page.all("img"))
    for link in page.all("a"):
        assert link["href"][1:] in ids or link["href"].startswith("data:text/csv;base64,")
    assert not re.search(r"url\(|@import", html)
    return page
