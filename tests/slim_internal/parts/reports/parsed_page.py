"""Reads a page for the tests."""

import html.parser


class ParsedPage(html.parser.HTMLParser):
    """Collects what the tests ask of a page; fails on a tag that is not closed.

    Attributes:
      seen: Every tag in order, with its attributes.
      text: All text, without markup.
    """

    VOID = ("meta", "img")

    def __init__(self, text: str):
        super().__init__()
        self.open, self.seen, self.text = [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """Returns the attributes of every tag of that name."""
        return [attributes for name, attributes in self.seen if name == tag]
