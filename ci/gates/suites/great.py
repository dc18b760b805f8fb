"""Great Expectations, asked: its answers as values, whatever it raises told as no answer.

Importing it takes seconds, so that `warm_up` lets that begin while the data are being read.
"""

import difflib
import functools
import importlib
import logging
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ..raised import frames, short
from . import lightly
from .parsed import Expectation, Suite

SAMPLES = 5  # values shown of those that were not as expected
FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<name>\S+)')
NOT_ASKED = ("result_format", "catch_exceptions")  # arguments that say how to answer
NUMBER = "number"  # what an expectation is called in its meta, so that its answer is found again


@dataclass(frozen=True)
class Custom:
    """The project's own kinds of expectations: modules that define classes, and their root."""

    modules: tuple[str, ...] = ()
    root: Path = Path()


@dataclass(frozen=True)
class Answer:
    """What it said to one expectation.

    Attributes:
        error: why there is no answer, e.g. `TypeError: …`; empty if there is one.
        traceback: where that was raised, innermost last: `file:line in function`.
        rows: an ibis table of the rows that were not as expected, where they can be named.
    """

    success: bool = False
    error: str = ""
    traceback: tuple[str, ...] = ()
    result: Mapping[str, Any] | None = None
    rows: Any = None


@functools.cache
def warm_up() -> threading.Thread:
    """Begins to import the library, beside whatever the caller does next.

    What both may import is imported first: two threads in one package can see half of it.
    """
    importlib.import_module("pandas")
    importlib.import_module("pyarrow.pandas_compat")
    thread = threading.Thread(target=_importing)
    thread.start()
    return thread


def _importing() -> None:
    try:
        lightly.load()
    except Exception as error:  # whoever asks imports it again, and gets it
        logging.getLogger(__name__).debug("great_expectations: %s", error)


def check(suite: Suite, custom: Custom) -> None:
    """Refuses a suite with an expectation of no known kind, or with arguments that it can't take.

    Raises:
        ConfigError: it holds one, or a module of custom kinds can't be imported.
    """
    warm_up().join()
    _register(custom)
    for number, expectation in enumerate(suite.expectations):
        domain(expectation, number, suite.name)


@functools.cache
def _register(custom: Custom) -> None:
    """Imports the modules of custom kinds: their classes make themselves known."""
    from great_expectations.expectations import registry

    if str(custom.root) not in sys.path:
        sys.path.insert(0, str(custom.root))
    known = {
        name: _class_of(name) for name in registry.list_registered_expectation_implementations()
    }
    for module in custom.modules:
        where = "delivery.toml [data] expectations"
        try:
            _imported(module)
        except (Exception, SystemExit) as error:  # the user's code: anything may come out of it
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise ConfigError(
                f"cannot import {module}: {reason}", where, "mend the module or its name"
            ) from error
        taken = [name for name, standing in known.items() if _class_of(name) is not standing]
        if taken:
            raise ConfigError(
                f"{module} redefines {taken[0]}", where, "give its class a name of its own"
            )


def _imported(module: str) -> None:
    """Imports a module, and leaves no bytecode where DVC would take it for a change."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        importlib.import_module(module)
    finally:
        sys.dont_write_bytecode = before


def _class_of(name: str) -> Any:
    from great_expectations.expectations import registry

    return registry.get_expectation_impl(name)


def domain(expectation: Expectation, number: int = 0, suite: str = "") -> Any:
    """The library's own object of an expectation.

    Built one by one, since a suite drops what it does not know.

    Raises:
        ConfigError: its kind is unknown, or it can't take its arguments.
    """
    warm_up().join()
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    kwargs = {key: v for key, v in expectation.kwargs.items() if key not in NOT_ASKED}
    where = f"ml/expectations/{suite}.json: {expectation.place}"
    try:
        return ExpectationConfiguration(
            type=expectation.type, kwargs=kwargs, meta={NUMBER: number}
        ).to_domain_obj()
    except ExpectationNotFoundError as error:
        what = f"{expectation.type} is no expectation"
        raise ConfigError(what, where, _nearest(expectation.type)) from error
    except Exception as error:  # its validation raises many kinds
        reason = " ".join(str(error).split())[:200]
        what = f"{expectation.type} can't be asked so: {reason}"
        raise ConfigError(what, where, "correct the suite") from error


def _nearest(name: str) -> str:
    from great_expectations.expectations import registry

    near = difflib.get_close_matches(name, registry.list_registered_expectation_implementations())
    own = "name the module of your own kinds in delivery.toml [data] expectations"
    return f"did you mean {near[0]}? Otherwise {own}" if near else own


def answers(frame: Any, expectations: Sequence[Expectation], detail: str) -> list[Answer]:
    """Its answers about a pandas frame, in order.

    Args:
        detail: its result format: `BOOLEAN_ONLY` or `COMPLETE`.
    """
    import great_expectations as gx

    if not expectations:
        return []
    suite = gx.ExpectationSuite(name="asked")
    suite.expectations = [domain(e, number) for number, e in enumerate(expectations)]
    form = {"result_format": detail, "partial_unexpected_count": SAMPLES}
    try:
        results = _batch(frame).validate(suite, result_format=form).results
    except Exception as error:  # whatever it raises instead of an answer
        raised = Answer(error=f"{type(error).__name__}: {error}", traceback=tuple(frames(error)))
        return [raised] * len(expectations)
    found = {int(r.expectation_config.meta[NUMBER]): r for r in results}
    return [_answer(found.get(number)) for number in range(len(expectations))]


def _answer(result: Any) -> Answer:
    if result is None:
        return Answer(error="it was not asked")
    if raised := _raised(result.exception_info or {}):
        return raised
    return Answer(bool(result.success), result=result.result)


def _raised(info: Mapping[str, Any]) -> Answer | None:
    """What was raised, wherever Great Expectations put it."""
    for entry in [info] if "raised_exception" in info else info.values():
        if not isinstance(entry, Mapping):
            return Answer(error=str(entry)[:200])
        if entry.get("raised_exception"):
            message = str(entry.get("exception_message") or "an exception without a message")
            text = str(entry.get("exception_traceback") or "").partition("\nThe above exception")[0]
            last = text.rstrip().rpartition("\n")[2]
            kind = last.partition(":")[0] if re.match(r"[\w.]+(: |$)", last) else ""
            error = f"{kind}: {message}" if kind and not message.startswith(kind) else message
            calls = (f"{short(m['file'])}:{m['line']} in {m['name']}" for m in FRAME.finditer(text))
            return Answer(error=error, traceback=tuple(calls))
    return None


def _batch(frame: Any) -> Any:
    return _definition().get_batch({"dataframe": frame})


@functools.cache
def _definition() -> Any:
    """One source a process: in memory, silent, sending nothing; it holds the last frame alone."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("tables").add_dataframe_asset("table")
    return asset.add_batch_definition_whole_dataframe("whole")


def plain(value: Any) -> Any:
    """A value as JSON has it, whatever array or date it is."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(inner) for inner in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value if isinstance(value, str | int | float | bool | None) else str(value)
