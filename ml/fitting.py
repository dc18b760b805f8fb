"""Fits the recommender: which weights foretell the weeks after a cut, seen from several cuts.

Two losses on the same batch. The first fits everything but the embeddings. The second fits the
embeddings against what the window really sold, on one half of the customers, so that the trust in
them is learned from the other half.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from . import metrics
from .features import Ints, best
from .model import EMBEDDINGS, Network, Recommender, Shape, Tensor
from .params import Train
from .snapshots import Batch, Snapshot, batch, batches

NEVER = np.float32(-1e9)  # the score of an item that cannot be recommended
BUCKET = 8  # batches whose customers are sorted by the length of their history
Values = list[NDArray[np.float32]]
Step = tuple[Snapshot, Ints]


@dataclass(frozen=True)
class Curve:
    """How fitting went, epoch by epoch."""

    loss: tuple[float, ...]
    taste_loss: tuple[float, ...]
    repurchase_loss: tuple[float, ...]
    validation: tuple[float, ...]  # NDCG at k; empty without a validation snapshot

    @property
    def best_epoch(self) -> int:
        """How many epochs gave the best validation score."""
        return int(np.argmax(self.validation)) + 1


def new_model(cuts: Sequence[Snapshot], params: Train) -> Recommender:
    """An untrained model of these snapshots' items, its inputs' scales measured on them.

    Args:
        cuts: the last one first; all know the same items.
    """
    keras.utils.set_random_seed(params.seed)
    subclass = cuts[0].subclass
    shape = Shape(len(subclass), int(subclass.max()) + 1, params.embedding, params.hidden)
    model = Recommender(shape, subclass)
    model.blend.assign([params.frequency_weight, params.taste_share])
    popular = np.concatenate([cut.item_features[cut.on_sale] for cut in cuts])
    _standardise(model.popularity, popular)
    rng = np.random.default_rng(params.seed)
    wide = [_wide(cut, rng.permutation(cut.customers)[: 2 * params.batch]) for cut in cuts]
    _standardise(model.repeat, np.concatenate(wide))
    return model


def _wide(cut: Snapshot, customers: Ints) -> NDArray[np.float32]:
    """What the repeat network reads of some customers, one row for each filled slot."""
    inputs = batch(cut, customers).inputs
    items = inputs["items"].astype(np.int64)
    row, slot = np.nonzero(items < len(cut.subclass))
    item = cut.item_features[items[row, slot]]
    parts = [inputs["pairs"][row, slot], inputs["customer"][row], item]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _standardise(network: Network, values: NDArray[np.float32]) -> None:
    network["mean"].assign(values.mean(axis=0))
    network["scale"].assign(1 / (values.std(axis=0) + 1e-3))


def fit(
    model: Recommender,
    cuts: Sequence[Snapshot],
    params: Train,
    epochs: int,
    validation: Snapshot | None = None,
) -> Curve:
    """Trains a model, which then holds the average of its last steps.

    With a validation snapshot it stops when that has not got better for `patience` epochs, and
    keeps the best epoch's weights.
    """
    rng = np.random.default_rng(params.seed)
    averages = [tf.Variable(weight, trainable=False) for weight in model.trainable_variables]
    step = _stepper(model, averages, params)
    losses: list[NDArray[np.float64]] = []
    scores: list[float] = []
    kept: Values = []
    for epoch in range(epochs):
        losses.append(_epoch(step, _plan(cuts, params, rng), epoch / max(params.epochs, 1), params))
        with _swapped(model, averages):
            if validation is not None:
                scores.append(ndcg(model, validation, params))
            if validation is None or scores[-1] == max(scores):
                kept = [weight.numpy() for weight in model.trainable_variables]
        if scores and epoch - int(np.argmax(scores)) >= params.patience:
            break
    for weight, value in zip(model.trainable_variables, kept, strict=False):
        weight.assign(value)
    table = [tuple(float(value) for value in column) for column in np.transpose(losses)]
    return Curve(table[0], table[1], table[2], tuple(scores))


def _plan(cuts: Sequence[Snapshot], params: Train, rng: np.random.Generator) -> list[Step]:
    """One epoch's batches in random order: as many customers of every cut, none twice."""
    steps: list[Step] = []
    for cut in cuts:
        customers = rng.permutation(cut.customers)[: params.customers_per_cut]
        for start in range(0, len(customers), params.batch * BUCKET):
            some = customers[start : start + params.batch * BUCKET]
            some = some[np.argsort(np.diff(cut.starts)[some], kind="stable")]
            steps += [(cut, some[i : i + params.batch]) for i in range(0, len(some), params.batch)]
    return [steps[i] for i in rng.permutation(len(steps))]


def _epoch(
    step: Callable[[Snapshot, Ints, float], Tensor],
    plan: Sequence[Step],
    done: float,
    params: Train,
) -> NDArray[np.float64]:
    share = 1 / max(params.epochs, 1) / len(plan)
    rates = [1 - 0.9 * (done + position * share) for position in range(len(plan))]
    losses = [step(cut, some, rate) for (cut, some), rate in zip(plan, rates, strict=True)]
    return np.asarray(np.mean([loss.numpy() for loss in losses], axis=0))


def _stepper(
    model: Recommender, averages: list[tf.Variable], params: Train
) -> Callable[[Snapshot, Ints, float], Tensor]:
    """The function that makes one step on some customers of a cut and gives its three losses."""
    tables = [weight for weight in model.trainable_variables if weight.name in EMBEDDINGS]
    others = [weight for weight in model.trainable_variables if weight.name not in EMBEDDINGS]
    rates = (params.embedding_learning_rate, params.learning_rate)
    optimizers = [keras.optimizers.Adam(rate) for rate in rates]
    for optimizer, weights in zip(optimizers, (tables, others), strict=True):
        optimizer.build(weights)
    floats, whole = tf.float32, tf.int64

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            {
                "items": tf.TensorSpec([None, None], whole),
                "pairs": tf.TensorSpec([None, None, None], floats),
                "customer": tf.TensorSpec([None, None], floats),
            },
            tf.TensorSpec([None, None], floats),
            tf.TensorSpec([2, None], floats),
            tf.TensorSpec([None, 2], whole),
            tf.TensorSpec([None], floats),
        ]
    )
    def step(
        inputs: Tensor, items: Tensor, offsets: Tensor, bought: Tensor, half: Tensor
    ) -> Tensor:
        with tf.GradientTape() as tape:
            losses = _losses(model, inputs, items, offsets, bought, half)
            penalty = params.embedding_l2 * sum(tf.reduce_sum(w**2) for w in tables)
            penalty += params.l2 * sum(tf.reduce_sum(w**2) for w in others)
            total = losses[0] + losses[1] + params.repurchase_weight * losses[2] + penalty
        gradients = tape.gradient(total, tables + others)
        optimizers[0].apply(gradients[: len(tables)], tables)
        optimizers[1].apply(gradients[len(tables) :], others)
        for average, weight in zip(averages, model.trainable_variables, strict=True):
            average.assign_add((weight - average) * (1 - params.averaging))
        return tf.stack(losses)

    def run(cut: Snapshot, customers: Ints, rate: float) -> Tensor:
        for optimizer, full in zip(optimizers, rates, strict=True):
            optimizer.learning_rate.assign(full * rate)
        made = batch(cut, customers)
        half = (customers % 2).astype(np.float32)
        bought = np.stack([made.rows, made.targets], axis=1)
        return step(made.inputs, cut.item_features, _offsets(cut), bought, half)

    return run


def _offsets(cut: Snapshot) -> NDArray[np.float32]:
    """What is added to the scores of each loss: items not on sale never; what the window sold."""
    never = np.where(cut.on_sale, np.float32(0), NEVER)
    sold = np.bincount(cut.target, minlength=len(cut.subclass))
    return np.stack([never, never + np.log1p(sold).astype(np.float32)])


def _losses(
    model: Recommender,
    inputs: Tensor,
    item_features: Tensor,
    offsets: Tensor,
    bought: Tensor,
    half: Tensor,
) -> list[Tensor]:
    """The losses of the ranking, of the taste alone, and of the repurchase decision."""
    parts = model.parts(inputs, item_features)
    requests = tf.shape(inputs["items"])[0]
    count = tf.math.bincount(tf.cast(bought[:, 0], tf.int32), minlength=requests)
    weight = tf.gather(tf.cast(count, tf.float32) ** -0.5, bought[:, 0])
    in_half = tf.gather(half, bought[:, 0])
    taste = tf.stop_gradient(parts.taste)
    scores = parts.popular + parts.habit + model.trust * taste + offsets[0]
    against = tf.stop_gradient(parts.habit) + parts.taste + offsets[1]
    there = tf.cast(inputs["items"] < model.shape.items, tf.float32)
    again = tf.scatter_nd(
        bought,
        tf.ones_like(weight),
        tf.cast(tf.stack([requests, model.shape.items + 1]), tf.int64),
    )
    label = tf.gather(again, inputs["items"], batch_dims=1)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(label, parts.repurchase)
    return [
        _cross_entropy(scores, bought, weight * (1 - in_half)),
        _cross_entropy(against, bought, weight * in_half),
        tf.reduce_sum(entropy * there) / (tf.reduce_sum(there) + 1e-6),
    ]


def _cross_entropy(scores: Tensor, bought: Tensor, weight: Tensor) -> Tensor:
    chosen = tf.gather_nd(tf.nn.log_softmax(scores), bought)
    return -tf.reduce_sum(weight * chosen) / (tf.reduce_sum(weight) + 1e-6)


@contextmanager
def _swapped(model: Recommender, averages: list[tf.Variable]) -> Iterator[None]:
    """The model with its averaged weights; afterwards it has its own again."""
    own = [weight.numpy() for weight in model.trainable_variables]
    for weight, average in zip(model.trainable_variables, averages, strict=True):
        weight.assign(average)
    try:
        yield
    finally:
        for weight, value in zip(model.trainable_variables, own, strict=True):
            weight.assign(value)


def ndcg(model: Recommender, of: Snapshot, params: Train) -> float:
    """The mean NDCG of a model's top k on a snapshot's customers."""
    values = []
    for _, scores, made in predict(model, of, params.batch):
        values.append(metrics.ndcg(*hits_of(scores, made, params.k)))
    return float(np.concatenate(values).mean()) if values else float("nan")


def hits_of(scores: NDArray[np.float32], made: Batch, k: int) -> tuple[NDArray[np.bool_], Ints]:
    """Which of each request's k best items were bought, and how many were bought in all."""
    bought = np.zeros(scores.shape, dtype=bool)
    bought[made.rows, made.targets] = True
    top = np.stack([best(row, k) for row in scores])
    return np.take_along_axis(bought, top, axis=1), bought.sum(axis=1)


def predict(
    model: Recommender, of: Snapshot, size: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], Batch]]:
    """Repurchase probabilities and scores of all of a snapshot's customers, batch by batch."""

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def forward(inputs: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        parts = model.parts(inputs, items)
        return tf.sigmoid(parts.repurchase), model.blended(parts)

    never = np.where(of.on_sale, np.float32(0), NEVER)
    items = tf.constant(of.item_features)
    for _, made in batches(of, of.customers, size):
        inputs = {name: tf.constant(value) for name, value in made.inputs.items()}
        chance, scores = forward(inputs, items)
        yield chance.numpy(), scores.numpy() + never, made
