"""The recommender as an ONNX graph: the same sums as in TensorFlow, its constants folded.

Written node by node, because a converter's names and order differ from run to run; equal weights
give equal bytes.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .features import CUSTOMER_FEATURES, PAIR_FEATURES
from .model import DAYS_FEATURE, DECAY_FEATURE, Network, Recommender

OPSET, IR = 18, 10
NODES = """
Less items count -> is_there
Cast:to=1 is_there -> there
Gather known_vectors items -> vectors
Gather subclass_padded items -> subclass
MatMul pairs attention_weights -> attention_product
Add attention_product attention_bias -> attention_sum
Squeeze attention_sum last -> attention_logit
Softplus attention_logit -> attention_any
Mul attention_any there -> attention
Unsqueeze attention middle -> attention_row
MatMul attention_row vectors -> customer_row
Squeeze customer_row middle -> customer_vector
Mul attention attention -> attention_squared
ReduceSum attention_squared middle -> length_squared
Add length_squared tiny -> length_safe
Sqrt length_safe -> length
Div customer_vector length -> taste_vector
MatMul taste_vector item_vectors -> taste

Shape items -> items_shape
Gather:axis=0 items_shape zero -> requests
Unsqueeze requests zero_axis -> requests_list
Concat:axis=0 requests_list subclasses -> subclass_shape
ConstantOfShape subclass_shape -> no_subclass
ScatterElements:axis=1,reduction=add no_subclass subclass there -> subclass_items
Gather:axis=2 pairs decay_index -> decay
Mul decay there -> decay_there
ScatterElements:axis=1,reduction=add no_subclass subclass decay_there -> subclass_recent
Add subclass_items one -> subclass_items_one
Log subclass_items_one -> subclass_items_log
Mul subclass_items_log affinity_items -> affinity_1
Add subclass_recent one -> subclass_recent_one
Log subclass_recent_one -> subclass_recent_log
Mul subclass_recent_log affinity_recent -> affinity_2
Greater subclass_items nothing -> is_subclass
Cast:to=1 is_subclass -> subclass_there
Mul subclass_there affinity_any -> affinity_3
Sum affinity_1 affinity_2 affinity_3 -> affinity_by_subclass
Gather:axis=1 affinity_by_subclass subclass_of_item -> affinity

MatMul pairs first_pairs -> hidden_pairs
MatMul customer first_customer -> hidden_customer
Unsqueeze hidden_customer middle -> hidden_customer_row
Gather first_items items -> hidden_items
Sum hidden_pairs hidden_customer_row hidden_items -> hidden_sum
Relu hidden_sum -> hidden
MatMul hidden second -> through_hidden
MatMul pairs direct_pairs -> through_pairs
MatMul customer direct_customer -> through_customer
Unsqueeze through_customer middle -> through_customer_row
Gather direct_items items -> through_items
Sum through_hidden through_pairs through_customer_row through_items -> repeat_both
Gather:axis=2 repeat_both zero -> repeat_any
Gather:axis=2 pairs days_index -> log_days
Exp log_days -> days
Mul days frequency -> days_weighted
Add repeat_any days_weighted -> repeat_and_days
Mul repeat_and_days there -> repeat
Gather:axis=2 repeat_both one_index -> decision_logit
Sigmoid decision_logit -> decision
Mul decision there -> repurchase
Concat:axis=0 requests_list slots_and_pad -> repeat_shape
ConstantOfShape repeat_shape -> no_repeat
ScatterElements:axis=1,reduction=add no_repeat items repeat -> repeat_padded
Slice repeat_padded begin end middle -> repeat_by_item
Sum popularity affinity taste repeat_by_item -> scores
"""


def to_onnx(model: Recommender) -> bytes:
    """The bytes of the ONNX model."""
    values = {**_tables(model), **_plain(model)}
    nodes = [_node(line) for line in NODES.splitlines() if line]
    graph = helper.make_graph(
        nodes,
        "next_basket",
        [
            helper.make_tensor_value_info("items", TensorProto.INT64, ["batch", "slots"]),
            helper.make_tensor_value_info(
                "pairs", TensorProto.FLOAT, ["batch", "slots", len(PAIR_FEATURES)]
            ),
            helper.make_tensor_value_info(
                "customer", TensorProto.FLOAT, ["batch", len(CUSTOMER_FEATURES)]
            ),
        ],
        [
            helper.make_tensor_value_info(
                "scores", TensorProto.FLOAT, ["batch", model.shape.items]
            ),
            helper.make_tensor_value_info("repurchase", TensorProto.FLOAT, ["batch", "slots"]),
        ],
        [numpy_helper.from_array(values[name], name) for name in sorted(values)],
    )
    made = helper.make_model(
        graph,
        producer_name="slipway",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
    )
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString(deterministic=True))


def _node(line: str) -> onnx.NodeProto:
    """The node that a line `Operator:attribute=value inputs -> output` describes."""
    call, output = line.split(" -> ")
    operator, *inputs = call.split(" ")
    name, _, settings = operator.partition(":")
    attributes: dict[str, Any] = {}
    for setting in filter(None, settings.split(",")):
        key, value = setting.split("=")
        attributes[key] = int(value) if value.isdecimal() else value
    return helper.make_node(name, inputs, [output], name=output, **attributes)


def _tables(model: Recommender) -> dict[str, NDArray[Any]]:
    """The weights of the graph; tables by item have a last row for padded slots."""
    subclass = model.subclass.numpy()
    item_features = model.item_features.numpy()
    known = model.item_in.numpy() + model.subclass_in.numpy()[subclass]
    vectors = model.item_out.numpy() + model.subclass_out.numpy()[subclass]
    attention, affinity = model.attention.numpy(), model.affinity.numpy()
    frequency, share = model.blend.numpy()
    repeat = _folded(model.repeat)
    pairs = len(PAIR_FEATURES)
    both = pairs + len(CUSTOMER_FEATURES)
    return {
        "frequency": np.array(frequency, dtype=np.float32),
        "known_vectors": _padded(known),
        "item_vectors": np.ascontiguousarray((vectors * model.trust.numpy() * share).T),
        "subclass_padded": np.append(subclass, model.shape.subclasses),
        "subclass_of_item": subclass,
        "attention_weights": attention[:-1],
        "attention_bias": attention[-1],
        "affinity_items": affinity[0],
        "affinity_recent": affinity[1],
        "affinity_any": affinity[2],
        "popularity": _popularity(_folded(model.popularity), item_features),
        "first_pairs": repeat["first"][:pairs],
        "first_customer": repeat["first"][pairs:both],
        "first_items": _padded(item_features @ repeat["first"][both:] + repeat["first_bias"]),
        "second": repeat["second"],
        "direct_pairs": repeat["direct"][:pairs],
        "direct_customer": repeat["direct"][pairs:both],
        "direct_items": _padded(item_features @ repeat["direct"][both:] + repeat["bias"]),
    }


def _plain(model: Recommender) -> dict[str, NDArray[Any]]:
    """The numbers that the nodes name."""
    whole = {
        "count": model.shape.items,
        "last": [2],
        "middle": [1],
        "zero": 0,
        "zero_axis": [0],
        "one_index": 1,
        "decay_index": DECAY_FEATURE,
        "days_index": DAYS_FEATURE,
        "subclasses": [model.shape.subclasses + 1],
        "slots_and_pad": [model.shape.items + 1],
        "begin": [0],
        "end": [model.shape.items],
    }
    numbers = {"tiny": 1e-6, "one": 1.0, "nothing": 0.0}
    return {
        **{name: np.array(value, dtype=np.int64) for name, value in whole.items()},
        **{name: np.array(value, dtype=np.float32) for name, value in numbers.items()},
    }


def _folded(network: Network) -> dict[str, NDArray[np.float32]]:
    """A network's weights with the standardisation of its inputs worked into them."""
    mean, scale = network["mean"].numpy(), network["scale"].numpy()
    first, direct = (network[name].numpy() * scale[:, None] for name in ("first", "direct"))
    return {
        "first": first,
        "first_bias": network["first_bias"].numpy() - mean @ first,
        "second": network["second"].numpy(),
        "direct": direct,
        "bias": network["bias"].numpy() - mean @ direct,
    }


def _popularity(
    network: dict[str, NDArray[np.float32]], values: NDArray[np.float32]
) -> NDArray[np.float32]:
    hidden = np.maximum(values @ network["first"] + network["first_bias"], 0)
    out = hidden @ network["second"] + values @ network["direct"] + network["bias"]
    return np.asarray(out[:, 0], dtype=np.float32)


def _padded(table: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([table, np.zeros((1, table.shape[1]), np.float32)])
