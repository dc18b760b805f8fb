"""Trains the candidate and leaves it, with all that the model contract asks for."""

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import artefacts, features, files, metrics, params
from .errors import InputError, exit_code, say
from .files import CANDIDATE, PREPARED
from .purchases import Catalogue, Days, Purchases, catalogue_at, days_of, end_of, iso, read
from .snapshots import Snapshot, snapshot

MORE = "bring more data or lower params.yaml's limits"
CPU_FLAGS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "amx_tile")
PACKAGES = ("tensorflow", "keras", "numpy", "onnx", "onnxruntime", "h5py", "pandas", "pyarrow")


@dataclass(frozen=True)
class Learned:
    """A fitted model and how it came about."""

    model: Any
    items: Catalogue
    threshold: float  # of the repurchase decision, chosen on the validation window
    history: dict[str, Any]


def train(prepared: Path, target: Path, settings: params.Train, window: params.Window) -> None:
    """Fits a model on the days before the test window and writes the candidate's folder.

    Raises:
        InputError: the data are missing or too small for these settings.
    """
    purchases = read(prepared)
    days = days_of(purchases, window, end_of(prepared, window))
    learned = learn(purchases, days, settings)
    with files.new_folder(target) as folder:
        _write(folder, learned, purchases, days, settings)
        shape = artefacts.profile(prepared, purchases, learned.items)
        files.write(folder / "profile.json", files.canonical(shape))
    say(f"train: {target} is {files.model_digest(target)}")


def learn(purchases: Purchases, days: Days, settings: params.Train) -> Learned:
    """Fits twice: up to the validation window, to know when to stop; then up to the test window."""
    from . import fitting

    validation = validation_of(purchases, days, settings)
    trial_cuts = cuts_before(purchases, days, days.validation, settings)
    model = fitting.new_model(trial_cuts, settings)
    say(f"train: {len(trial_cuts)} cuts, {len(validation.customers):,} customers to validate")
    trial = fitting.fit(model, trial_cuts, settings, settings.epochs, validation)
    say(f"train: epoch {trial.best_epoch} is best, NDCG {max(trial.validation):.4f}")
    threshold = metrics.best_threshold(*repeats(model, validation, settings))
    cuts = cuts_before(purchases, days, days.test, settings)
    model = fitting.new_model(cuts, settings)
    final = fitting.fit(model, cuts, settings, trial.best_epoch)
    model.item_features.assign(_features_at(purchases, days.test, settings))
    history = {
        "schema": "history/1",
        "metric": f"ndcg_at_{settings.k}",
        "best_epoch": trial.best_epoch,
        "trial": {"until": iso(days.validation - 1), **vars(trial)},
        "final": {"until": iso(days.test - 1), **vars(final)},
    }
    return Learned(model, catalogue_at(purchases, days.test, settings), threshold, history)


def _features_at(purchases: Purchases, cut: int, settings: params.Train) -> NDArray[np.float32]:
    return catalogue_at(purchases, cut, settings).features


def cuts_before(
    purchases: Purchases, days: Days, end: int, settings: params.Train
) -> list[Snapshot]:
    """The snapshots whose windows end before `end`, the last one first.

    Raises:
        InputError: none has anybody to learn from.
    """
    span = days.end - days.test
    items = catalogue_at(purchases, end, settings)
    earliest = days.first + settings.least_history_days
    starts = range(end - span, earliest - 1, -max(settings.cut_step_days, 1))
    found = [
        snapshot(
            purchases,
            items,
            cut,
            cut + span,
            settings.min_item_purchases,
            settings.min_learning_baskets,
        )
        for cut in starts
    ]
    useful = [cut for cut in found if len(cut.customers)]
    if not useful:
        what = f"nobody to learn from before {iso(end)}"
        raise InputError(what, "the prepared data", MORE)
    return useful


def validation_of(purchases: Purchases, days: Days, settings: params.Train) -> Snapshot:
    """The snapshot that the trial is judged on; its window ends before the test window begins.

    Raises:
        InputError: nobody can be judged there.
    """
    cut = days.validation
    until = min(cut + days.end - days.test, days.test)
    limits = (settings.min_item_purchases, settings.min_customer_baskets)
    found = snapshot(purchases, catalogue_at(purchases, cut, settings), cut, until, *limits)
    if not len(found.customers):
        raise InputError(f"nobody to validate on after {iso(cut)}", "the prepared data", MORE)
    return found


def repeats(
    model: Any, of: Snapshot, settings: params.Train
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """For each item a customer bought before: the chance of a repeat, and whether it came."""
    from . import fitting

    chances, labels = [], []
    for chance, _, made in fitting.predict(model, of, settings.batch):
        label, there = labels_of(made.inputs["items"], made.rows, made.targets, len(of.subclass))
        chances.append(chance[there])
        labels.append(label[there])
    return np.concatenate(chances).astype(np.float64), np.concatenate(labels)


def labels_of(
    items: NDArray[np.generic], rows: NDArray[np.int64], targets: NDArray[np.int64], count: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each slot whether its item was bought in the window, and whether it holds an item."""
    bought = np.zeros((len(items), count + 1), dtype=bool)
    bought[rows, targets] = True
    slots = items.astype(np.int64)
    return np.take_along_axis(bought, slots, axis=1), slots < count


def _write(
    folder: Path, learned: Learned, purchases: Purchases, days: Days, settings: params.Train
) -> None:
    from . import model as recommender
    from .graph import to_onnx

    recommender.save(learned.model, folder)
    files.write(folder / "model.onnx", to_onnx(learned.model))
    artefacts.write_reference(folder / features.REFERENCE_FILE, purchases, learned.items)
    files.write(folder / features.FEATURES_FILE, Path(features.__file__).read_bytes())
    count = len(learned.items.codes)
    documents = {
        "signature": artefacts.signature(count, days, settings, learned.threshold),
        "history": learned.history,
        "environment": environment(),
        "samples": _samples(folder, learned.model, settings),
    }
    for name, content in documents.items():
        files.write(folder / f"{name}.json", files.canonical(content))


def _samples(folder: Path, model: Any, settings: params.Train) -> list[dict[str, Any]]:
    """Real requests with the ONNX model's answers, after a look that TensorFlow agrees.

    Raises:
        ArithmeticError: it does not.
    """
    import tensorflow as tf

    reference = features.load_reference(folder)
    requests = artefacts.sample_requests(reference, settings.samples)
    inputs = features.encode(reference, requests)
    outputs = run_onnx(folder, inputs)
    expected = model({name: tf.constant(value) for name, value in inputs.items()})
    for name, value in expected.items():
        gap = float(np.abs(outputs[name] - value.numpy()).max())
        if not gap <= artefacts.TOLERANCE:
            raise ArithmeticError(f"ONNX and TensorFlow differ by {gap} in {name}")
    return artefacts.samples(reference, requests, outputs, settings.k)


def run_onnx(folder: Path, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The outputs of a model's ONNX file for some inputs."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "model.onnx")
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def environment() -> dict[str, Any]:
    """What decides the bytes of a model beside data, code and parameters."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = version(f"{package}-cpu")
    return {
        "schema": "environment/1",
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": platform.machine(),
        "cpu_flags": _cpu_flags(),
        "packages": found,
        "settings": {
            "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", ""),
            "op_determinism": True,
        },
    }


def _cpu_flags() -> list[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    line = next((row for row in text.splitlines() if row.startswith("flags")), "")
    there = set(line.partition(":")[2].split())
    return [flag for flag in CPU_FLAGS if flag in there]


def repeatable() -> None:
    """Makes TensorFlow give the same numbers each time, and keep quiet about itself."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # whatever is exported: it decides the digest
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()


def main() -> None:
    """Trains the project's candidate."""
    settings, window = params.load(params.Train), params.load(params.Window)
    repeatable()
    train(PREPARED, CANDIDATE, settings, window)


if __name__ == "__main__":
    sys.exit(exit_code(main))
