"""XML of files from elsewhere, parsed without what could do harm."""

from xml.etree import ElementTree


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses a DOCTYPE before its entities are read: they could grow without limit, or name files elsewhere."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("a DOCTYPE, which could hold entities, and is not needed: remove it")


def parse_xml(content: bytes) -> ElementTree.Element:
    """The root of a document. ParseError where it ends to be XML; ValueError or LookupError, in words, for the rest."""
    return ElementTree.fromstring(content, ElementTree.XMLParser(target=_NoDoctype()))
