"""Pictures that the evaluation left: which of them may stand beside the page."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import words

MOST = 12
LARGEST = 2_000_000  # bytes of one picture
PNG = b"\x89PNG\r\n\x1a\n"
SHAPES = frozenset(
    (
        *("svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon"),
        *("text", "tspan", "title", "desc", "defs", "clipPath", "use", "symbol", "marker"),
        *("linearGradient", "radialGradient", "stop", "pattern", "mask", "style", "metadata"),
    )
)
LOADS = re.compile(r"url\(\s*(?!['\"]?#)|@import|expression\(|javascript:|\\", re.I)
SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Picture:
    """One picture: its file name, its bytes, and what it shows in words."""

    name: str
    content: bytes
    caption: str


def pictures(folder: Path | None) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
    """The pictures of a folder that are safe to show, and why others are not."""
    if folder is None or not folder.is_dir():
        return (), ()
    good: list[Picture] = []
    left: list[str] = []
    for path in sorted(p for p in folder.iterdir() if p.suffix in (".svg", ".png")):
        why = "there are too many" if len(good) == MOST else refused(path)
        if why:
            left.append(f"plots/{words.tidy(path.name, 80)} was left out: {why}")
        else:
            good.append(Picture(path.name, path.read_bytes(), _caption(path.stem)))
    return tuple(good), tuple(left)


def refused(path: Path) -> str:
    """Why a picture may not be shown; an empty string where it may."""
    if not re.fullmatch(r"[\w.-]+", path.name, re.ASCII):
        return "its name is not plain"
    try:
        if path.stat().st_size > LARGEST:
            return "it is larger than 2 MB"
        content = path.read_bytes()
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    if path.suffix == ".png":
        return "" if content.startswith(PNG) else "it is no PNG"
    return unsafe(content)


def unsafe(content: bytes) -> str:
    """What in an SVG could do more than be looked at; an empty string where nothing could."""
    if re.search(rb"<!ENTITY|<\?xml-stylesheet", content, re.I):
        return "it declares entities or a style sheet"
    try:
        root = ET.fromstring(content)  # noqa: S314 (no entities: refused above)
    except (ET.ParseError, ValueError, LookupError) as error:
        return f"it is no SVG: {error}"
    if root.tag != f"{SVG}svg":
        return "it is no SVG"
    return next(_active(root), "")


def _active(root: ET.Element) -> Iterator[str]:
    for element in _drawn(root):
        tag = str(element.tag)
        name = tag.removeprefix(SVG)
        if not tag.startswith(SVG) or name not in SHAPES:
            yield f"it holds <{words.tidy(name, 40)}>"
        if name == "style" and LOADS.search("".join(element.itertext())):
            yield "its style loads something"
        for key, held in element.attrib.items():
            plain = key.rpartition("}")[2].lower()
            if plain.startswith("on"):
                yield f"it holds the event {words.tidy(plain, 40)}"
            if plain in ("href", "src") and not held.startswith("#"):
                yield "it points to something outside"
            if LOADS.search(held):
                yield f"its {words.tidy(plain, 40)} loads something"


def _drawn(element: ET.Element) -> Iterator[ET.Element]:
    """An element and all below it; what stands in `metadata` is never drawn."""
    yield element
    if element.tag != f"{SVG}metadata":
        for inner in element:
            yield from _drawn(inner)


def _caption(stem: str) -> str:
    text = re.sub(r"[_-]+", " ", stem).strip()
    return words.tidy(text[:1].upper() + text[1:], 80)
