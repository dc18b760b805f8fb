"""What may be asked over the wire, and what comes back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.features import Request
from ml.serving import protocol
from ml.serving.model import Recommendation


def plain(**content: Any) -> protocol.Asked:
    return protocol.parse_plain(json.dumps(content).encode(), 10)


def tensors(*inputs: Any, **content: Any) -> protocol.Asked:
    body = {"inputs": [i if isinstance(i, dict) else tensor(*i) for i in inputs], **content}
    return protocol.parse_v2(json.dumps(body).encode(), 10)


def tensor(name: str, shape: Any, data: Any, datatype: Any = "BYTES") -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def test_the_plain_form_asks_for_a_customer_or_a_history() -> None:
    assert plain(customer="7") == protocol.Asked((Request("7", None, None),), 10)
    history = [["a", "2001-01-31"], ["b|c", "2001-02-28"]]
    asked = plain(history=history, as_of="2001-03-01", k=3)
    pairs = (("a", "2001-01-31"), ("b|c", "2001-02-28"))
    assert asked == protocol.Asked((Request(None, pairs, "2001-03-01"),), 3)
    assert plain(history=[]).requests == (Request(None, (), None),)
    assert plain(customer="").requests == (Request("", None, None),)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"customer": None},
        {"customer": "1", "history": []},
        {"customer": 1},
        {"customer": ["1"]},
        {"history": "a"},
        {"history": {"a": "b"}},
        {"history": ["a"]},
        {"history": [["a"]]},
        {"history": [["a", "2001-01-01", "c"]]},
        {"history": [["a", 20010101]]},
        {"history": [["a", None]]},
        {"history": [["a", "2001-13-01"]]},
        {"history": [["a", "20010101"]]},
        {"history": [["a", "2001-W01-1"]]},
        {"history": [["a", "2001-01-01"]] * (protocol.MAX_HISTORY + 1)},
        {"customer": "1", "as_of": "tomorrow"},
        {"customer": "1", "as_of": 5},
        {"customer": "1", "k": 0},
        {"customer": "1", "k": -1},
        {"customer": "1", "k": protocol.MAX_K + 1},
        {"customer": "1", "k": 1.0},
        {"customer": "1", "k": True},
        {"customer": "1", "k": "5"},
        {"customer": "1", "k": None},
        {"customer": "1", "extra": 1},
    ],
)
def test_anything_else_in_the_plain_form_is_a_bad_request(content: dict[str, Any]) -> None:
    with pytest.raises(protocol.BadRequest):
        plain(**content)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"3", b'"x"', b"[]", b'{"customer":NaN}', b'{"customer":"\xff"}',
     b'{"customer":"\\ud800"}', b"[" * 100_000, b'{"k":1e999,"customer":"1"}'],
)  # fmt: skip
def test_what_is_no_json_object_is_a_bad_request(body: bytes) -> None:
    for parse in (protocol.parse_plain, protocol.parse_v2):
        with pytest.raises(protocol.BadRequest):
            parse(body, 10)


def test_tensors_ask_for_many_customers_at_once() -> None:
    asked = tensors(
        ("customer", [2], ["7", "8"]), ("as_of", [2], ["2001-01-01", "2001-02-01"]), id="x"
    )
    assert asked.requests == (Request("7", None, "2001-01-01"), Request("8", None, "2001-02-01"))
    assert (asked.id, asked.k, asked.outputs) == ("x", 10, ("items", "scores"))


@pytest.mark.parametrize(
    "data",
    [
        ["a|2001-01-01", "", "b|2001-01-02", "c|2001-01-03"],
        [["a|2001-01-01", ""], ["b|2001-01-02", "c|2001-01-03"]],
    ],
)
def test_histories_are_rows_padded_with_empty_strings_flat_or_nested(data: Any) -> None:
    asked = tensors(("history", [2, 2], data), parameters={"k": 5})
    first, second = (request.history for request in asked.requests)
    assert first == (("a", "2001-01-01"),)
    assert second == (("b", "2001-01-02"), ("c", "2001-01-03"))
    assert asked.k == 5


def test_histories_may_all_be_empty() -> None:
    assert [r.history for r in tensors(("history", [2, 0], [])).requests] == [(), ()]


def test_a_caller_may_want_one_output_alone() -> None:
    asked = tensors(("customer", [1], ["1"]), outputs=[{"name": "scores"}])
    content = json.loads(protocol.render_v2(asked, [ANSWER], "m", "v1"))
    assert [output["name"] for output in content["outputs"]] == ["scores"]


ONE = ("customer", [1], ["1"])


@pytest.mark.parametrize(
    ("inputs", "content"),
    [
        ((), {}),
        (("x",), {}),
        ((("price", [1], ["1"]),), {}),
        ((("as_of", [1], ["2001-01-01"]),), {}),
        ((ONE, ONE), {}),
        ((("customer", [1], ["1"], "FP32"),), {}),
        ((("customer", [1], ["1"], None),), {}),
        ((("customer", [1], [1]),), {}),
        ((("customer", [1], [None]),), {}),
        ((("customer", [2], ["1"]),), {}),
        ((("customer", [1, 1], ["1"]),), {}),
        ((("customer", [-1], ["1"]),), {}),
        ((("customer", [0], []),), {}),
        ((("customer", [True], ["1"]),), {}),
        ((("customer", [1.0], ["1"]),), {}),
        ((("customer", None, ["1"]),), {}),
        ((("customer", [1], "1"),), {}),
        ((("customer", [1], None),), {}),
        ((("customer", [10**30], ["1"]),), {}),
        ((("customer", [protocol.MAX_ROWS + 1], ["1"] * (protocol.MAX_ROWS + 1)),), {}),
        ((("history", [1], ["a|2001-01-01"]),), {}),
        ((("history", [1, 1], ["2001-01-01"]),), {}),
        ((("history", [1, 1], ["a|yesterday"]),), {}),
        ((("history", [2, 1], [["a|2001-01-01"], "b"]),), {}),
        ((ONE, ("history", [1, 0], [])), {}),
        ((ONE, ("as_of", [2], ["2001-01-01"] * 2)), {}),
        ((ONE,), {"parameters": []}),
        ((ONE,), {"parameters": {"k": 0}}),
        ((ONE,), {"id": 5}),
        ((ONE,), {"outputs": []}),
        ((ONE,), {"outputs": ["items"]}),
        ((ONE,), {"outputs": [{"name": "price"}]}),
        ((ONE,), {"surprise": 1}),
    ],
)
def test_anything_else_in_tensors_is_a_bad_request(inputs: Any, content: dict[str, Any]) -> None:
    body = {"inputs": [tensor(*i) if isinstance(i, tuple) else i for i in inputs], **content}
    with pytest.raises(protocol.BadRequest):
        protocol.parse_v2(json.dumps(body).encode(), 10)


ANSWER = Recommendation(("a", "b"), (0.5, 0.25), fallback=True)


def test_answers_carry_items_scores_and_whether_popularity_decided() -> None:
    assert json.loads(protocol.render_plain([ANSWER])) == {
        "items": ["a", "b"],
        "scores": [0.5, 0.25],
        "fallback": True,
    }
    asked = tensors(("customer", [2], ["1", "2"]), id="call 1")
    content = json.loads(protocol.render_v2(asked, [ANSWER, ANSWER], "model", "v1.0.0"))
    assert content == {
        "id": "call 1",
        "model_name": "model",
        "model_version": "v1.0.0",
        "parameters": {"fallback_rows": 2},
        "outputs": [
            tensor("items", [2, 2], ["a", "b", "a", "b"]),
            tensor("scores", [2, 2], [0.5, 0.25, 0.5, 0.25], "FP32"),
        ],
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
NEAR = st.fixed_dictionaries(
    {},
    optional={
        "customer": JSON,
        "history": JSON,
        "as_of": JSON,
        "k": JSON,
        "inputs": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["customer", "history", "as_of"]) | JSON},
                optional={"datatype": st.just("BYTES") | JSON, "shape": JSON, "data": JSON},
            )
        ),
        "outputs": JSON,
        "parameters": JSON,
    },
)


@given(st.binary() | (JSON | NEAR).map(lambda value: json.dumps(value).encode()))
def test_no_body_ever_raises_anything_but_bad_request(body: bytes) -> None:
    for parse in (protocol.parse_plain, protocol.parse_v2):
        try:
            parse(body, 10)
        except protocol.BadRequest as error:
            assert str(error)
