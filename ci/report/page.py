"""The delivery's page: one HTML file, one style sheet, its pictures, and what it was made of."""

import contextlib
import functools
from pathlib import Path
from typing import Any

from ..config import Project
from ..records import Finding, write_atomically
from . import rows, words
from .pictures import Picture, pictures
from .sources import Sources
from .view import LARGEST_RAW, Room, champion_of, view

TEMPLATES = Path(__file__).parent.parent / "templates"
LOOKS = ("report.css", "icon.svg")
LARGEST = 1_000_000  # bytes of the page
WRITING_S = 60  # a hidden file younger than this is being written by another slipway
ROWS, COLUMNS, CELL = 20, 16, 60  # of the rows that a finding is about, characters of a cell
ROOMS = (Room(), Room(15, 120, 120_000), Room(4, 40, 30_000))


def write(project: Project, sources: Sources) -> Path:
    """Writes the page and all it needs; gives its path. The same sources give the same bytes."""
    folder = project.delivery / "report"
    shown, left_out = pictures(sources.plots)
    files = _files(sources, shown)
    page = render(project, sources, shown, left_out)
    for name, content in files.items():
        write_atomically(folder / name, content)
    write_atomically(folder / "index.html", page)
    _remove_others(folder, {*files, "index.html"})
    return folder / "index.html"


def render(
    project: Project,
    sources: Sources,
    shown: tuple[Picture, ...] = (),
    left_out: tuple[str, ...] = (),
) -> bytes:
    """The page's HTML; where it would grow too large, it shows less of everything."""
    notes = (*sources.notes, *left_out)
    content = b""
    for room in ROOMS:
        context = view(project, sources, room)
        text: str = _template(room.text).render(**context, pictures=shown, notes=notes)
        content = text.encode("utf-8", "replace")
        if len(content) < LARGEST:
            break
    return content


def _files(sources: Sources, shown: tuple[Picture, ...]) -> dict[str, bytes]:
    """What stands beside the page: its looks, its pictures, and what it was made of."""
    kept = {n: content for n, content in sources.raw.items() if len(content) <= LARGEST_RAW}
    return {
        **{name: (TEMPLATES / name).read_bytes() for name in LOOKS},
        **{f"plots/{picture.name}": picture.content for picture in shown},
        **{f"raw/{name}": content for name, content in kept.items()},
    }


def _remove_others(folder: Path, wanted: set[str]) -> None:
    """Removes what an earlier page left and this one does not name, cut-off writes among it."""
    now = (folder / "index.html").stat().st_mtime
    for path in folder.rglob("*"):
        if path.is_dir() or path.relative_to(folder).as_posix() in wanted:
            continue
        with contextlib.suppress(FileNotFoundError):
            if not path.name.startswith(".") or path.stat().st_mtime < now - WRITING_S:
                path.unlink()


@functools.cache
def _template(longest: int) -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup, escape

    def shown(content: Any) -> Any:
        return (
            content if isinstance(content, Markup | int | float) else words.tidy(content, longest)
        )

    def breakable(content: str) -> Markup:
        """A long name that may be broken behind `_` and `/`."""
        marks = {mark: f"{mark}<wbr>" for mark in "_/"}
        return Markup("".join(marks.get(c, c) for c in str(escape(words.tidy(content, longest)))))  # noqa: S704

    def rows_of(finding: Finding, most: int) -> rows.Table:
        return rows.table(finding, min(most, ROWS), COLUMNS, min(longest, CELL))

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in (
        *(words.asked, words.commit, words.count, words.duration, words.metric, words.moment),
        *(words.number, words.plural, words.score, words.short, words.size, words.tidy),
        *(words.value, words.figure, champion_of, breakable, rows_of, rows.how_to_get),
    ):
        environment.filters[filter_.__name__] = filter_
    return environment.get_template("index.html")
