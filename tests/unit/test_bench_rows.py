"""Made-up rows are like the source's: as many as asked for, and no basket holds a product twice."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bench import rows
from tests import shop

COUNT = 40_000


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """The small shop's lines."""
    return rows.read(shop.write_raw(tmp_path_factory.mktemp("shop")))


@pytest.fixture(scope="module")
def made(source: pa.Table) -> rows.Made:
    """More lines than the shop has."""
    return rows.make(source, COUNT, seed=3)


def values(source: pa.Table, name: str, lines: np.ndarray) -> list[str]:
    """A column's values at some lines."""
    return source[name].take(pa.array(lines)).to_pylist()


def test_a_seed_decides_every_row(source: pa.Table, made: rows.Made) -> None:
    again, other = rows.make(source, COUNT, seed=3), rows.make(source, COUNT, seed=4)
    assert (again.bought == made.bought).all()
    assert (other.bought != made.bought).any()


def test_a_line_is_swapped_within_its_subclass(source: pa.Table, made: rows.Made) -> None:
    swapped = made.line != made.bought
    assert 0.1 < swapped.mean() < 0.16
    kinds = [values(source, rows.SUBCLASS, lines) for lines in (made.line, made.bought)]
    assert kinds[0] == kinds[1]


def test_no_basket_holds_a_product_twice(source: pa.Table, made: rows.Made) -> None:
    products = values(source, rows.PRODUCT, made.bought)
    dates = values(source, rows.DATE, made.line)
    baskets = Counter(zip(made.draw.tolist(), dates, products, strict=True))
    assert max(baskets.values()) == 1


def test_the_files_are_like_the_sources(source: pa.Table, made: rows.Made, tmp_path: Path) -> None:
    written = dict(rows.write(source, made, tmp_path / "made"))
    assert list(written) == ["2000-11.csv", "2000-12.csv", "2001-01.csv", "2001-02.csv"]
    assert sum(written.values()) == COUNT
    content = (tmp_path / "made/2000-11.csv").read_bytes()
    assert content.startswith(shop.HEADER.encode())
    table = rows.read(tmp_path / "made")
    assert len(table) == COUNT
    assert all(len(name) == 8 and name[0] == "0" for name in table[rows.CUSTOMER].to_pylist())
    assert (np.diff(rows.days(table)) >= 0).all()


def test_marginals_stay_and_a_shift_is_seen(source: pa.Table, made: rows.Made) -> None:
    found = rows.marginals(source, made)
    assert max(found.values()) < 0.05
    half = rows.Made(*(part[: COUNT // 2] for part in (made.line, made.bought, made.draw)))
    assert rows.marginals(source, half)[rows.DATE] > 1


@pytest.mark.parametrize("words", [[], ["12"], ["many", "x"], ["-1", "x"], ["1", "x", "y"]])
def test_wrong_words_are_answered_with_the_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert rows.main(words) == 2
    assert capsys.readouterr().err.startswith("python -m bench rows COUNT FOLDER")
