"""One pass over XML that is not trusted: its elements one after the other, within limits and without entities."""

from collections.abc import Callable
from xml.parsers import expat

DEEPEST = 64  # nested elements
MOST_ELEMENTS = 500_000
LONGEST_TEXT = 128 * 1024  # characters of one element

type Path = tuple[str, ...]  # the names of the elements from the outermost to this one
type Begin = Callable[[Path, dict[str, str]], None]
type End = Callable[[Path, str], None]


class UnreadableXml(Exception):
    """The text is no XML, or has what these documents do not have. The message is a reason for people."""


def scan(data: bytes, begin: Begin, end: End) -> None:
    """Call `begin` with the attributes of each element, and `end` with its own text.

    Raises UnreadableXml. A declaration of a document type with contents and every entity are refused where they begin,
    so that none is ever expanded. Expat opens no URL.
    """
    _Scan(data, begin, end)


class _Scan:
    def __init__(self, data: bytes, begin: Begin, end: End) -> None:
        self._path: Path = ()
        self._texts: list[list[str]] = []
        self._length = self._elements = 0
        self._call_begin, self._call_end = begin, end
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._begin, self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._document_type
        parser.EntityDeclHandler = parser.SkippedEntityHandler = self._entity
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise UnreadableXml(f"it is no XML: {expat.ErrorString(error.code)} (line {error.lineno})") from None
        except (ValueError, LookupError) as error:  # an encoding that Python does not know, or cannot give to expat
            raise UnreadableXml("its encoding is unknown") from error

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MOST_ELEMENTS or len(self._path) >= DEEPEST:
            raise UnreadableXml("it has too many elements")
        self._path = (*self._path, name)
        self._texts.append([])
        self._length = 0
        self._call_begin(self._path, attributes)

    def _end(self, name: str) -> None:
        self._call_end(self._path, "".join(self._texts.pop()))
        self._path = self._path[:-1]
        self._length = 0

    def _characters(self, text: str) -> None:
        self._length += len(text)
        if self._length > LONGEST_TEXT:
            self._texts[-1] = []  # no value that is asked for is as long
        else:
            self._texts[-1].append(text)

    def _document_type(self, name: str, system: str | None, public: str | None, contents: int) -> None:
        if contents:
            raise UnreadableXml("it declares a document type")

    def _entity(self, *declaration: object) -> None:
        raise UnreadableXml("it has an entity")
