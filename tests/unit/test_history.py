"""What was live when, and what engine and ledger say of each other."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from slipway.errors import ConfigError
from slipway.stages import canary, history, status
from slipway.tools.engines import Canary, Instance, Live
from slipway.tools.ledger.events import Event, History

NOW = datetime(2026, 11, 19, 12, 0).astimezone()  # a Thursday


def assigned(version: str, at: str, kind: str = "assign") -> Event:
    return Event(
        kind=kind, name="m", environment="production", version=version, digest=version, at=at
    )


def live(digest: str, *, healthy: bool = True) -> Live:
    return Live("http://here", Instance("i", digest, digest, "http://behind"), healthy)


def test_each_stay_ends_where_the_next_one_begins() -> None:
    told = History(
        (
            assigned("v1.0.0", "2026-11-01T10:00:00+00:00"),
            assigned("v1.1.0", "2026-11-10T10:00:00+00:00"),
            assigned("v1.0.0", "2026-11-11T10:00:00+00:00", "rollback"),
        )
    )
    stays = history.stays_of(told, ["production", "staging"])
    assert [(s.version, s.kind, s.until[:10]) for s in stays] == [
        ("v1.0.0", "rollback", ""),
        ("v1.1.0", "assign", "2026-11-11"),
        ("v1.0.0", "assign", "2026-11-10"),
    ]


def test_a_drill_is_told_between_the_stays_and_ends_none() -> None:
    told = History(
        (
            assigned("v1.0.0", "2026-11-01T10:00:00+00:00"),
            assigned("v1.0.0", "2026-11-05T10:00:00+00:00", "drill"),
            assigned("v1.1.0", "2026-11-10T10:00:00+00:00"),
        )
    )
    stays = history.stays_of(told, ["production"])
    assert [(s.kind, s.version, s.since[:10], s.until[:10]) for s in stays] == [
        ("assign", "v1.1.0", "2026-11-10", ""),
        ("drill", "v1.0.0", "2026-11-05", "2026-11-05"),
        ("assign", "v1.0.0", "2026-11-01", "2026-11-10"),
    ]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("today", "2026-11-19"),
        ("Yesterday", "2026-11-18"),
        ("tuesday", "2026-11-17"),
        ("last Tuesday", "2026-11-17"),
        ("thursday", "2026-11-12"),
        ("2026-11-02", "2026-11-02"),
    ],
)
def test_a_day_is_meant_whole(text: str, day: str) -> None:
    start, end = history.span_of(text, NOW)
    assert start == datetime.fromisoformat(day).astimezone()
    assert end - start == timedelta(days=1) - timedelta(microseconds=1)


def test_a_moment_is_local_unless_it_names_its_zone() -> None:
    assert history.span_of("2026-11-02T09:30", NOW)[0] == datetime(2026, 11, 2, 9, 30).astimezone()
    exact = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
    assert history.span_of("2026-11-02T09:30:00Z", NOW) == (exact, exact)


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2026-11-0", "32"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no date"):
        history.span_of(text, NOW)


@pytest.mark.parametrize(
    ("moment", "version"),
    [
        ("2026-11-01T09:59:59Z", []),
        ("2026-11-01T10:00:00Z", ["v1.0.0"]),
        ("2026-11-10T09:59:59Z", ["v1.0.0"]),
        ("2026-11-10T10:00:00Z", ["v1.1.0"]),
        ("2030-01-01T00:00:00Z", ["v1.1.0"]),
    ],
)
def test_at_a_moment_at_most_one_version_was_live(moment: str, version: list[str]) -> None:
    told = History(
        (
            assigned("v1.0.0", "2026-11-01T10:00:00+00:00"),
            assigned("v1.1.0", "2026-11-10T10:00:00+00:00"),
        )
    )
    span = history.span_of(moment, NOW)
    stays = history.stays_of(told, ["production"])
    assert [stay.version for stay in stays if history.overlaps(stay, *span)] == version


@pytest.mark.parametrize(
    ("serving", "said", "why"),
    [
        (None, None, ""),
        (live("v1.0.0"), assigned("v1.0.0", "2026-11-01T10:00:00+00:00"), ""),
        (None, assigned("v1.0.0", ""), "the ledger says v1.0.0, nothing runs here"),
        (live("v1.0.0"), None, "v1.0.0 runs, the ledger says nothing"),
        (live("v1.1.0"), assigned("v1.0.0", ""), "v1.1.0 runs, the ledger says v1.0.0"),
        (live("v1.0.0", healthy=False), assigned("v1.0.0", ""), "it runs, and does not answer"),
    ],
)
def test_status_names_how_engine_and_ledger_differ(
    serving: Live | None, said: Event | None, why: str
) -> None:
    standing = status.standing_of("production", serving, said, None)
    assert (standing.why, standing.agrees) == (why, not why)


def put(version: str, percent: int = 10, **fields: object) -> Event:
    """A canary as the ledger has it."""
    at = "2026-11-11T10:00:00+00:00"
    event = replace(assigned(version, at), kind="canary", id="c", percent=percent)
    return replace(event, **fields)


def beside(version: str, percent: int = 10) -> Live:
    """v1.0.0, and a canary."""
    instance = Instance("c", version, version, "http://canary")
    return replace(live("v1.0.0"), canary=Canary(instance, percent))


def test_a_canary_stands_in_the_history_until_it_is_ended() -> None:
    told = History(
        (
            assigned("v1.0.0", "2026-11-01T10:00:00+00:00"),
            put("v1.1.0"),
            replace(put("v1.1.0"), kind="undo", closes="c", at="2026-11-12T10:00:00+00:00"),
        )
    )
    stays = history.stays_of(told, ["production"])
    assert [(s.version, s.kind, s.percent, s.until[:10]) for s in stays] == [
        ("v1.1.0", "canary", 10, "2026-11-12"),
        ("v1.0.0", "assign", 100, ""),
    ]


@pytest.mark.parametrize(
    ("serving", "said", "well", "why"),
    [
        (beside("v1.1.0"), put("v1.1.0"), True, ""),
        (beside("v1.1.0"), put("v1.1.0"), False, "the canary runs, and does not answer"),
        (live("v1.0.0"), put("v1.1.0"), True, "the ledger says canary v1.1.0, it does not run"),
        (beside("v1.1.0"), None, True, "canary v1.1.0 runs, the ledger says nothing"),
        (beside("v1.2.0"), put("v1.1.0"), True, "canary v1.2.0 runs, the ledger says v1.1.0"),
        (beside("v1.1.0", 30), put("v1.1.0"), True, "the canary has 30 %, the ledger says 10 %"),
    ],
)
def test_status_names_how_engine_and_ledger_differ_about_a_canary(
    serving: Live, said: Event | None, well: bool, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary, "healthy", lambda _: well)
    champion = assigned("v1.0.0", "2026-11-01T10:00:00+00:00")
    standing = status.standing_of("production", serving, champion, None, said)
    assert standing.why.startswith(why)
    assert (standing.agrees, standing.canary.agrees) == (not why, not why)


@pytest.mark.parametrize(
    ("said", "runs", "well", "why"),
    [
        (None, beside("v1.1.0").canary, True, ""),
        (put("v1.1.0", until="9", holder="me"), beside("v1.1.0").canary, True, ""),
        (put("v1.1.0", until="9", holder="me"), beside("v1.1.0").canary, False, "does not answer"),
        (put("v1.1.0", until="9", holder="me"), None, True, "it runs no more"),
        (put("v1.1.0", until="9", holder="another"), None, True, ""),
        (put("v1.1.0", until="1", holder="me"), beside("v1.1.0").canary, True, "nobody decided"),
        (put("v1.1.0", until="1", holder="another"), None, True, "nobody decided"),
    ],
)
def test_a_canary_is_over_where_it_is_forgotten_dead_or_gone(
    said: Event | None,
    runs: Canary | None,
    well: bool,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(canary, "healthy", lambda _: well)
    told = canary.why_over(said, runs, holder="me")
    assert why in told
    assert bool(told) == bool(why)
