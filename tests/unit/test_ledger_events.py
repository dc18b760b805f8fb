"""What the ledger's events answer, without git."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import ConfigError
from slipway.tools.ledger import events
from slipway.tools.ledger.events import Event, History


def register(version: str) -> Event:
    return Event(
        kind="register",
        name="m",
        version=version,
        digest=f"sha256:{version}",
        at="2026-01-01T00:00:00+00:00",
        id=f"register-{version}",
    )


def assign(version: str, environment: str = "production", **fields: object) -> Event:
    event = Event(
        kind="assign",
        name="m",
        environment=environment,
        version=version,
        digest=f"sha256:{version}",
        model=f"model-{version}",
        trained_until="2001-01-31",
        at="2026-01-01T00:00:00+00:00",
        id=f"assign-{version}-{environment}",
    )
    return replace(event, **fields)


def rollback(version: str) -> Event:
    return assign(version, kind="rollback", id=f"rollback-{version}")


def history(*written: Event) -> History:
    return History(tuple(written))


def test_the_first_version_is_one_and_the_next_raises_the_minor() -> None:
    assert events.next_version(history()) == "v1.0.0"
    assert events.next_version(history(register("v1.0.0"))) == "v1.1.0"
    assert events.next_version(history(register("v1.9.0"), register("v1.10.2"))) == "v1.11.0"


@pytest.mark.parametrize(("wanted", "given"), [("2.0.0", "v2.0.0"), ("v1.1.1", "v1.1.1")])
def test_a_wanted_version_is_taken_where_it_is_above_all_others(wanted: str, given: str) -> None:
    assert events.next_version(history(register("v1.1.0")), wanted) == given


@pytest.mark.parametrize("wanted", ["v1.1.0", "v1.0.9", "0.9.0"])
def test_a_wanted_version_that_is_not_above_the_highest_is_refused(wanted: str) -> None:
    with pytest.raises(ConfigError, match="not above v1.1.0"):
        events.next_version(history(register("v1.1.0")), wanted)


@pytest.mark.parametrize("text", ["", "1", "1.2", "v1.2.3-rc1", "1.02.3", "latest", "v1.2.3\n"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no version"):
        events.parse_version(text)


def test_the_last_assignment_is_the_environment_s_own() -> None:
    told = history(assign("v1.0.0"), assign("v1.1.0", "staging"))
    assert told.last("production") == assign("v1.0.0")
    assert told.last("nowhere") is None
    marks = told.marks(["production", "staging", "nowhere"])
    assert marks == {
        "production": "assign-v1.0.0-production",
        "staging": "assign-v1.1.0-staging",
        "nowhere": "",
    }


@pytest.mark.parametrize("kind", ["assign", "undo", "rollback"])
def test_an_intent_is_open_until_something_closes_it(kind: str) -> None:
    intent = assign("v1.1.0", kind="intent", id="i")
    closing = assign("v1.1.0", kind=kind, closes="i", id="c")
    assert history(intent).open_intent("production") == intent
    assert history(intent).open_intent("staging") is None
    assert history(intent, closing).open_intent("production") is None


def canary(version: str, **fields: object) -> Event:
    return assign(version, **{"kind": "canary", "id": f"canary-{version}", **fields})


@pytest.mark.parametrize(
    ("after", "ended"),
    [
        ([], False),
        ([assign("v1.1.0", "staging")], False),
        ([assign("v1.1.0", kind="intent", id="i")], False),
        ([assign("v1.1.0", kind="undo", closes="i", id="u")], False),
        ([assign("v1.1.0", kind="release", id="r")], False),
        ([assign("v1.1.0", kind="undo", closes="canary-v1.1.0", id="u")], True),
        ([assign("v1.1.0")], True),
        ([rollback("v1.0.0")], True),
        ([canary("v1.1.0", id="other"), assign("v1.1.0", kind="undo", closes="other")], True),
    ],
)
def test_a_canary_is_open_until_it_is_undone_or_all_traffic_goes_somewhere(
    after: list[Event], ended: bool
) -> None:
    told = history(assign("v1.0.0"), canary("v1.1.0"), *after)
    assert (told.open_canary("production") is None) == ended
    assert told.canaries("production")[0] == (canary("v1.1.0"), after[0] if ended else None)
    assert told.open_canary("staging") is None


def test_a_canary_is_no_assignment_no_champion_and_has_no_tag() -> None:
    told = history(register("v1.0.0"), register("v1.1.0"), assign("v1.0.0"), canary("v1.1.0"))
    assert told.last("production") == assign("v1.0.0")
    assert told.marks(["production"]) == {"production": "assign-v1.0.0-production"}
    assert (told.count(), told.earlier("production")) == (1, None)
    assert events.champion_of(told, "other")["version"] == "v1.0.0"
    assert events.tags(canary("v1.1.0"), told) == {}


def test_a_canary_that_moves_is_one_and_the_same_only_once() -> None:
    first, second = canary("v1.1.0", percent=10), canary("v1.1.0", percent=30, id="second")
    told = history(assign("v1.0.0"), first, second)
    assert told.canaries("production") == [(first, second), (second, None)]
    assert told.open_canary("production").percent == 30


@pytest.mark.parametrize(
    ("told", "before"),
    [
        ([], None),
        ([assign("v1.0.0")], None),
        ([assign("v1.0.0"), assign("v1.1.0")], "v1.0.0"),
        ([assign("v1.0.0"), assign("v1.1.0"), rollback("v1.0.0")], None),
        ([assign("v1.0.0"), assign("v1.1.0"), assign("v1.2.0"), rollback("v1.1.0")], "v1.0.0"),
        ([assign("v1.0.0"), assign("v1.1.0"), rollback("v1.0.0"), assign("v1.1.0")], "v1.0.0"),
        ([assign("v1.0.0"), assign("v1.0.0"), assign("v1.0.0")], None),
    ],
)
def test_a_second_rollback_goes_further_back_and_never_forward(
    told: list[Event], before: str | None
) -> None:
    earlier = history(*told).earlier("production")
    assert (earlier.version if earlier else None) == before


def test_the_champion_is_the_model_in_production() -> None:
    assert events.champion_of(history(), "any") is None
    assert events.champion_of(history(assign("v1.0.0")), "other") == {
        "model": "model-v1.0.0",
        "trained_until": "2001-01-31",
        "version": "v1.0.0",
    }
    assert events.champion_of(history(assign("v1.0.0", "staging")), "other") is None


def test_a_candidate_that_is_live_already_keeps_the_champion_it_was_judged_against() -> None:
    judged = {"model": "model-v1.0.0", "trained_until": "2001-01-31", "version": "v1.0.0"}
    told = history(assign("v1.0.0"), assign("v1.1.0", champion=judged))
    assert events.champion_of(told, "model-v1.1.0") == judged
    assert events.champion_of(history(assign("v1.0.0")), "model-v1.0.0") is None


def test_tags_of_an_assignment_are_on_the_commit_where_its_version_was_registered() -> None:
    told = history(register("v1.0.0"))
    assert events.tags(register("v1.0.0"), history()) == {"m@v1.0.0": ""}
    assert events.tags(assign("v1.0.0", number=7), told) == {"m#production#7": "register-v1.0.0"}
    assert events.tags(assign("v1.0.0", kind="intent"), told) == {}


@given(st.lists(st.integers(0, 50), max_size=12), st.integers(0, 50))
def test_every_tag_is_later_than_those_before_whatever_the_clocks_say(
    clocks: list[int], now: int
) -> None:
    def at(second: int) -> str:
        return datetime.fromtimestamp(second, UTC).isoformat(timespec="seconds")

    told: list[Event] = []
    times = []
    for second in clocks:
        times.append(events.tag_time(history(*told), datetime.fromtimestamp(second, UTC)))
        told.append(assign("v1.0.0", at=at(second)))
    times.append(events.tag_time(history(*told), datetime.fromtimestamp(now, UTC)))
    assert times == sorted(set(times))


def test_a_drill_moves_nothing_that_anybody_relies_on() -> None:
    before = (register("v1.0.0"), assign("v1.0.0"))
    tried = assign("drill", kind="intent", id="tried")
    undone = assign("drill", kind="undo", closes="tried")
    drill = assign("v1.0.0", kind="drill", id="drill")
    then, now = History(before), History((*before, tried, undone, drill))
    assert now.drills("production") == [drill]
    assert now.drills("staging") == []
    for ask in (
        lambda h: h.assignments("production"),
        lambda h: h.last("production"),
        lambda h: h.earlier("production"),
        lambda h: h.marks(["production", "staging"]),
        lambda h: (h.open_intent("production"), h.open_canary("production"), h.canaries("x")),
        lambda h: (h.registered(version="drill"), h.releases(), h.count()),
        lambda h: events.champion_of(h, "another"),
        lambda h: events.next_version(h),
    ):
        assert ask(now) == ask(then)
    assert [events.tags(event, now) for event in (tried, undone, drill)] == [{}, {}, {}]
