"""Judges the candidate on the weeks after its data end, beside the champion and two baselines.

Everybody ranks the same items for the same customers. The champion runs with its own model, its
own features and its own reference, on histories from today's data.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from . import files, metrics, params, rankings
from .errors import InputError, exit_code, say
from .features import Ints
from .files import CANDIDATE, PREPARED
from .params import Evaluate, Train, Window
from .purchases import (
    Days,
    Purchases,
    baskets_before,
    catalogue_at,
    days_of,
    end_of,
    iso,
    read,
    read_table,
)
from .rankings import Ranking
from .snapshots import Snapshot, snapshot

EVALUATION = Path("evaluation")
CHAMPION = Path("models/champion.json")
BASELINES = {
    "popularity": rankings.popularity,
    "personal_frequency": rankings.personal_frequency,
}
NEW_CUSTOMER_DAYS = 28


@dataclass(frozen=True)
class Rows:
    """What everybody is judged on: the customers and items of the test window."""

    purchases: Purchases
    days: Days
    codes: Ints  # product codes of the items
    test: Snapshot
    validation: Snapshot  # where baselines choose their threshold


def rows_of(prepared: Path, settings: Train, window: Window) -> Rows:
    """The rows of a data version.

    Raises:
        InputError: the data are missing, or nobody can be judged.
    """
    purchases = read(prepared, with_test=True)
    days = days_of(purchases, window, end_of(prepared, window))
    snapshots = {}
    for cut, until in ((days.test, days.end), (days.validation, days.test)):
        items = catalogue_at(purchases, cut, settings)
        limits = (settings.min_item_purchases, settings.min_customer_baskets)
        snapshots[cut] = snapshot(purchases, items, cut, until, *limits)
        if not len(snapshots[cut].customers):
            raise InputError(f"nobody to judge after {iso(cut)}", str(prepared), "bring more data")
    codes = catalogue_at(purchases, days.test, settings).codes
    return Rows(purchases, days, codes, snapshots[days.test], snapshots[days.validation])


def score_model(
    folder: Path, prepared: Path, settings: Train, judging: Evaluate, window: Window
) -> dict[str, float]:
    """A model's metrics on the test window of some prepared data."""
    rows = rows_of(prepared, settings, window)
    return metrics_of(_ranked(folder, rows, judging), rows, judging.k, _threshold(folder))


def evaluate(
    candidate: Path,
    prepared: Path,
    champion: Path,
    target: Path,
    settings: tuple[Train, Evaluate, Window],
) -> None:
    """Writes `evaluation.json`, `scores.parquet` and the plots.

    Args:
        champion: the pointer file; its model lies beside it, in `champion/<hex>`.

    Raises:
        InputError: an input is missing or malformed.
    """
    from . import plots

    training, judging, window = settings
    rows = rows_of(prepared, training, window)
    k = judging.k
    ranked = {"candidate": _ranked(candidate, rows, judging)}
    thresholds = {"candidate": _threshold(candidate)}
    error = _rank_champion(champion, rows, judging, ranked, thresholds)
    for name, baseline in BASELINES.items():
        ranked[name] = rankings.rank(baseline(rows.test), rows.test, k, judging.batch)
        trial = rankings.rank(baseline(rows.validation), rows.validation, k, judging.batch)
        thresholds[name] = metrics.best_threshold(trial.chances, trial.labels)
    found = {
        name: metrics_of(ranking, rows, k, thresholds[name]) for name, ranking in ranked.items()
    }
    for name in ranked:
        say(f"evaluate: {name} NDCG {found[name][f'ndcg_at_{k}']:.4f}")
    if error:
        found["champion"] = {name: float("nan") for name in found["candidate"]}
    groups = slices_of(prepared, rows, judging)
    report = {
        "model": files.model_digest(candidate),
        "dataset": files.read_json(prepared / "cleaning.json", "run 'python -m ml.prepare'")[
            "dataset"
        ],
        "window": {"from": iso(rows.days.test), "to": iso(rows.days.end - 1)},
        "candidate": found["candidate"],
        "champion": _champion(found, error),
        "baselines": {name: found[name] for name in BASELINES},
        "slices": {name: _slice(group, ranked, k) for name, group in groups.items()},
    }
    with files.new_folder(target) as folder:
        files.write(folder / "evaluation.json", files.canonical(report))
        _write_scores(folder / "scores.parquet", prepared, rows, ranked, k)
        history = files.read_json(candidate / "history.json", "train the model")
        plots.draw(folder / "plots", report, history, ranked)


def _champion(
    found: Mapping[str, dict[str, float]], error: str
) -> Mapping[str, float | str] | None:
    scores = found.get("champion")
    return {**scores, "error": error} if scores and error else scores


def _ranked(folder: Path, rows: Rows, judging: Evaluate) -> Ranking:
    ranker = rankings.model(folder, rows.purchases, rows.test, rows.codes)
    return rankings.rank(ranker, rows.test, judging.k, judging.batch)


def _threshold(folder: Path) -> float:
    signature = files.read_json(folder / "signature.json", "train the model")
    value = signature.get("repurchase_threshold")
    return float("nan") if value is None else float(value)


def _rank_champion(
    pointer: Path,
    rows: Rows,
    judging: Evaluate,
    ranked: dict[str, Ranking],
    thresholds: dict[str, float],
) -> str:
    """Adds the champion's ranking, if there is a champion; gives the error if it does not run.

    Raises:
        InputError: the pointer is missing or malformed, or names a model that is not there.
    """
    champion = files.read_json(pointer, "run 'slipway champion'")
    if champion is None:
        return ""
    if not isinstance(champion, dict) or not str(champion.get("model")).startswith("sha256:"):
        raise InputError("not a champion pointer", str(pointer), "run 'slipway champion'")
    folder = pointer.parent / "champion" / champion["model"].removeprefix("sha256:")
    if not folder.is_dir():
        raise InputError("the champion's model is missing", str(folder), "run 'slipway champion'")
    try:
        ranked["champion"] = _ranked(folder, rows, judging)
        thresholds["champion"] = _threshold(folder)
    except Exception as error:  # an old model may fail in any way; the gate decides what follows
        reason = " ".join(str(error).split())[:300]
        return f"it does not run: {type(error).__name__}: {reason}"
    return ""


def metrics_of(ranking: Ranking, rows: Rows, k: int, threshold: float) -> dict[str, float]:
    """All metrics of one ranking."""
    each = per_customer(ranking, k)
    decided = metrics.decision(ranking.chances, ranking.labels, threshold)
    return {
        **{name: float(values.mean()) for name, values in each.items()},
        f"coverage_at_{k}": len(np.unique(ranking.top)) / len(rows.codes),
        **{f"repurchase_{name}": value for name, value in decided.items()},
        "repurchase_auc": metrics.auc(ranking.chances, ranking.labels),
        "customers": len(ranking.customers),
        "rows": len(ranking.labels),
    }


def per_customer(ranking: Ranking, k: int) -> dict[str, NDArray[np.float64]]:
    """The ranking metrics of each customer."""
    return {
        f"ndcg_at_{k}": metrics.ndcg(ranking.hits, ranking.relevant),
        f"recall_at_{k}": metrics.recall(ranking.hits, ranking.relevant),
        f"hit_rate_at_{k}": np.asarray(ranking.hits.any(axis=1), dtype=np.float64),
    }


def slices_of(prepared: Path, rows: Rows, judging: Evaluate) -> dict[str, NDArray[np.bool_]]:
    """Which judged customers belong to each slice."""
    table = _customers(prepared, rows)
    baskets = baskets_before(rows.purchases, rows.purchases.day < rows.days.test)
    heavy = np.asarray(baskets[rows.test.customers] >= judging.heavy_baskets)
    first = table["first_day"].to_numpy().astype("datetime64[D]").astype(np.int64)
    age = table["age_group"].to_numpy()
    start = np.datetime64(iso(rows.days.test)).astype(np.int64)
    groups: dict[str, NDArray[np.bool_]] = {
        "heavy buyers": heavy,
        "light buyers": ~heavy,
        "new customers": np.asarray(first >= start - NEW_CUSTOMER_DAYS),
        **{f"age {name}": np.asarray(age == name) for name in sorted(set(age.tolist()))},
    }
    return {name: group for name, group in groups.items() if group.any()}


def _customers(prepared: Path, rows: Rows) -> Any:
    """The judged customers' rows of the customers' table, in order."""
    table = read_table(prepared / "customers.parquet", ["customer", "age_group", "first_day"])
    ids = rows.purchases.customers[rows.test.customers].tolist()
    return table.set_index("customer").loc[ids].reset_index()


def _slice(group: NDArray[np.bool_], ranked: Mapping[str, Ranking], k: int) -> dict[str, Any]:
    scored: dict[str, Any] = {"rows": int(group.sum()), "champion": None}
    for name in ("candidate", "champion"):
        if name in ranked:
            each = per_customer(ranked[name], k)
            scored[name] = {metric: float(v[group].mean()) for metric, v in each.items()}
    return scored


def _write_scores(
    path: Path, prepared: Path, rows: Rows, ranked: Mapping[str, Ranking], k: int
) -> None:
    columns: dict[str, Any] = {
        "customer": pa.array(rows.purchases.customers[rows.test.customers].tolist())
    }
    columns["age_group"] = pa.array(_customers(prepared, rows)["age_group"].tolist())
    for name, ranking in ranked.items():
        for metric, values in per_customer(ranking, k).items():
            columns[f"{name}_{metric}"] = pa.array(values)
    pq.write_table(pa.table(columns), path, compression="zstd")


def main() -> None:
    """Evaluates the project's candidate."""
    settings = (params.load(Train), params.load(Evaluate), params.load(Window))
    evaluate(CANDIDATE, PREPARED, CHAMPION, EVALUATION, settings)


if __name__ == "__main__":
    sys.exit(exit_code(main))
