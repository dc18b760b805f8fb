"""The recommender: what a customer buys next from repeat, recency, popularity, content and taste.

    score(customer, item) = popularity(item) + affinity(customer, subclass of item)
                          + repeat(customer, item) + frequency × days bought(customer, item)
                          + share × trust × taste(customer) · item

`repeat` counts only where the customer bought the item before; beside it stands the chance that
this purchase is repeated. `taste` and item are collaborative embeddings, the item's and its
subclass's added up. They are fitted against what everybody bought in the window, so that they
learn how customers differ and not what was popular. `frequency` and `share` are settings, not
fitted: they draw the scores towards personal frequency, which foretells well in every month.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from . import files
from .features import CUSTOMER_FEATURES, PAIR_FEATURES
from .purchases import ITEM_FEATURES

Tensor = Any
Network = dict[str, Tensor]
WEIGHTS, ARCHITECTURE = "weights.h5", "architecture.json"
DECAY_FEATURE = PAIR_FEATURES.index("decay_28d")
DAYS_FEATURE = PAIR_FEATURES.index("log_days_bought")
EMBEDDINGS = ("item_in", "item_out", "subclass_in", "subclass_out", "attention")


@dataclass(frozen=True)
class Shape:
    """What the shapes of the weights follow from."""

    items: int
    subclasses: int
    embedding: int
    hidden: int


@dataclass(frozen=True)
class Parts:
    """The summands of the scores and the chance of a repeat as a logit."""

    popular: Tensor  # [items]
    habit: Tensor  # [requests, items], repeat and affinity
    days: Tensor  # [requests, items], on how many days it was bought
    taste: Tensor  # [requests, items]
    repurchase: Tensor  # [requests, slots]


class Recommender(keras.Model):  # type: ignore[misc]
    """Scores of all items for a batch of customers, and the chance of each repeat."""

    def __init__(self, shape: Shape, subclass: NDArray[np.int64]) -> None:
        super().__init__(name="next_basket")
        self.shape = shape
        wide = len(PAIR_FEATURES) + len(CUSTOMER_FEATURES) + len(ITEM_FEATURES)
        self.subclass = self._fixed("subclass", np.asarray(subclass, dtype=np.int64))
        self.item_features = self._fixed(
            "item_features", np.zeros((shape.items, len(ITEM_FEATURES)), np.float32)
        )
        self.item_in = self._weights("item_in", shape.items, shape.embedding, 0.1)
        self.item_out = self._weights("item_out", shape.items, shape.embedding, 0.1)
        self.subclass_in = self._weights("subclass_in", shape.subclasses, shape.embedding, 0.1)
        self.subclass_out = self._weights("subclass_out", shape.subclasses, shape.embedding, 0.1)
        self.attention = self._weights("attention", len(PAIR_FEATURES) + 1, 1)
        self.trust = self._weights("trust", 1, 1)
        self.affinity = self._weights("affinity", 3, 1)
        self.blend = self._fixed("blend", np.zeros(2, np.float32))  # of days bought, of taste
        self.popularity = self._network("popularity", len(ITEM_FEATURES), 1)
        self.repeat = self._network("repeat", wide, 2)

    def _fixed(self, name: str, value: NDArray[Any]) -> Tensor:
        weight = self.add_weight(
            name=name,
            shape=value.shape,
            dtype=str(value.dtype),
            initializer="zeros",
            trainable=False,
        )
        weight.assign(value)
        return weight

    def _weights(self, name: str, rows: int, columns: int, spread: float = 0.0) -> Tensor:
        start = keras.initializers.RandomNormal(stddev=spread) if spread else "zeros"
        return self.add_weight(name=name, shape=(rows, columns), initializer=start)

    def _network(self, name: str, inputs: int, outputs: int) -> Network:
        hidden = self.shape.hidden
        return {
            "mean": self._fixed(f"{name}_mean", np.zeros(inputs, np.float32)),
            "scale": self._fixed(f"{name}_scale", np.ones(inputs, np.float32)),
            "first": self._weights(f"{name}_first", inputs, hidden, inputs**-0.5),
            "first_bias": self._weights(f"{name}_first_bias", 1, hidden),
            "second": self._weights(f"{name}_second", hidden, outputs),
            "direct": self._weights(f"{name}_direct", inputs, outputs),
            "bias": self._weights(f"{name}_bias", 1, outputs),
        }

    def parts(self, inputs: Mapping[str, Tensor], item_features: Tensor) -> Parts:
        """The summands of the scores.

        Args:
            inputs: as `features.assemble` gives them.
            item_features: float32 [items, item features], at the cut of the inputs.
        """
        items, pairs = inputs["items"], inputs["pairs"]
        there = tf.cast(items < self.shape.items, tf.float32)
        known = tf.minimum(items, self.shape.items - 1)
        out = through(self.repeat, self._wide(inputs, tf.gather(item_features, known)))
        repeat = _scatter(items, out[..., 0] * there, self.shape.items + 1)
        days = _scatter(items, tf.exp(pairs[..., DAYS_FEATURE]) * there, self.shape.items + 1)
        return Parts(
            days=days[:, : self.shape.items],
            popular=through(self.popularity, item_features)[:, 0],
            habit=repeat[:, : self.shape.items] + self._affinity(known, pairs, there),
            taste=self._taste(known, pairs, there),
            repurchase=out[..., 1],
        )

    def blended(self, parts: Parts) -> Tensor:
        """The scores [requests, items] that these summands make."""
        frequency, share = self.blend[0], self.blend[1]
        fitted = parts.popular + parts.habit + share * self.trust * parts.taste
        return fitted + frequency * parts.days

    def _wide(self, inputs: Mapping[str, Tensor], item_features: Tensor) -> Tensor:
        slots = tf.shape(inputs["items"])[1]
        customer = tf.repeat(inputs["customer"][:, None], slots, axis=1)
        return tf.concat([inputs["pairs"], customer, item_features], axis=2)

    def _affinity(self, known: Tensor, pairs: Tensor, there: Tensor) -> Tensor:
        subclass = tf.gather(self.subclass, known)
        items = _scatter(subclass, there, self.shape.subclasses)
        recent = _scatter(subclass, there * pairs[..., DECAY_FEATURE], self.shape.subclasses)
        weights = self.affinity[:, 0]
        affinity = (
            weights[0] * tf.math.log1p(items)
            + weights[1] * tf.math.log1p(recent)
            + weights[2] * tf.cast(items > 0, tf.float32)
        )
        return tf.gather(affinity, self.subclass, axis=1)

    def _taste(self, known: Tensor, pairs: Tensor, there: Tensor) -> Tensor:
        subclass = tf.gather(self.subclass, known)
        vectors = tf.gather(self.item_in, known) + tf.gather(self.subclass_in, subclass)
        logit = (pairs @ self.attention[:-1] + self.attention[-1])[..., 0]
        weight = tf.nn.softplus(logit) * there
        length = tf.sqrt(tf.reduce_sum(weight**2, axis=1, keepdims=True) + 1e-6)
        customer = tf.reduce_sum(weight[..., None] * vectors, axis=1) / length
        items = self.item_out + tf.gather(self.subclass_out, self.subclass)
        return tf.matmul(customer, items, transpose_b=True)

    def call(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The scores [requests, items] and the repurchase probabilities [requests, slots]."""
        parts = self.parts(inputs, self.item_features)
        there = tf.cast(inputs["items"] < self.shape.items, tf.float32)
        return {
            "scores": self.blended(parts),
            "repurchase": tf.sigmoid(parts.repurchase) * there,
        }


def through(network: Network, values: Tensor) -> Tensor:
    """One hidden layer beside a direct way, over standardised values."""
    scaled = (values - network["mean"]) * network["scale"]
    hidden = tf.nn.relu(scaled @ network["first"] + network["first_bias"])
    return hidden @ network["second"] + scaled @ network["direct"] + network["bias"]


def _scatter(columns: Tensor, values: Tensor, width: int) -> Tensor:
    """[requests, width]: the values of each request added up at their columns."""
    requests, slots = tf.shape(columns)[0], tf.shape(columns)[1]
    rows = tf.repeat(tf.range(requests)[:, None], slots, axis=1)
    where = tf.stack([rows, tf.cast(columns, tf.int32)], axis=-1)
    return tf.scatter_nd(where, values, [requests, width])


def save(model: Recommender, folder: Path) -> None:
    """Writes weights and architecture; equal weights give equal bytes."""
    with h5py.File(folder / WEIGHTS, "w") as store:
        for weight in sorted(model.weights, key=lambda weight: weight.name):
            store.create_dataset(weight.name, data=weight.numpy(), track_times=False)
    architecture = {
        "class": "ml.model.Recommender",
        "shape": asdict(model.shape),
        "weights": {
            weight.name: {"shape": list(weight.shape), "dtype": weight.dtype}
            for weight in model.weights
        },
    }
    files.write(folder / ARCHITECTURE, files.canonical(architecture))


def load(folder: Path) -> Recommender:
    """The TensorFlow model that `save` wrote."""
    architecture = files.read_json(folder / ARCHITECTURE, "train the model")
    with h5py.File(folder / WEIGHTS, "r") as store:
        model = Recommender(Shape(**architecture["shape"]), store["subclass"][()])
        for weight in model.weights:
            weight.assign(store[weight.name][()])
    return model
