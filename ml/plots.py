"""The evaluation's pictures for the report: PNG, equal numbers giving equal bytes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import metrics
from .rankings import Ranking

INK, LIGHT, QUIET = "#1f4e79", "#9dbad5", "#8a8a8a"
LOOK: dict[Any, Any] = {
    "figure.figsize": (6.4, 3.6),
    "figure.dpi": 110,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "font.size": 9,
}
COLOURS = {"candidate": INK, "champion": LIGHT}
MOST_POINTS = 400


def draw(
    folder: Path,
    report: Mapping[str, Any],
    history: Mapping[str, Any],
    ranked: Mapping[str, Ranking],
) -> None:
    """Draws every picture into a folder."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, Callable[[Any], None]] = {
        "learning_curve": lambda axes: _learning_curve(axes, history),
        "models": lambda axes: _models(axes, report),
        "slices": lambda axes: _slices(axes, report),
        "repurchase": lambda axes: _repurchase(axes, ranked),
    }
    with pyplot.rc_context(LOOK):
        for name, picture in pictures.items():
            figure: Any = pyplot.figure(layout="constrained")
            picture(figure.add_subplot())
            figure.savefig(folder / f"{name}.png", metadata={"Software": None})
            pyplot.close(figure)


def _learning_curve(axes: Any, history: Mapping[str, Any]) -> None:
    trial = history["trial"]
    epochs = range(1, len(trial["loss"]) + 1)
    axes.plot(epochs, trial["loss"], color=QUIET, marker="o", label="training loss")
    axes.set_xticks(list(epochs))
    axes.set(title="Learning curve, fitted up to the validation window", xlabel="epoch")
    axes.set_ylabel("training loss")
    right = axes.twinx()
    right.plot(epochs, trial["validation"], color=INK, marker="o", label="validation NDCG")
    right.axvline(history["best_epoch"], color=LIGHT, linestyle="--", label="kept")
    right.set_ylabel("validation NDCG")
    lines = [*axes.get_lines(), *right.get_lines()]
    axes.legend(lines, [line.get_label() for line in lines], loc="center right")


def _ndcg(scores: Mapping[str, Any]) -> tuple[str, float]:
    name = next(name for name in scores if name.startswith("ndcg_at_"))
    value = scores[name]
    return name, float("nan") if value is None else float(value)


def _models(axes: Any, report: Mapping[str, Any]) -> None:
    scored = {**report["baselines"], "champion": report["champion"]}
    scored["candidate"] = report["candidate"]
    names = [name for name, scores in scored.items() if scores is not None]
    values = [_ndcg(scored[name])[1] for name in names]
    bars = axes.barh(names, values, color=[COLOURS.get(name, QUIET) for name in names])
    axes.bar_label(bars, fmt="%.4f", padding=3)
    axes.margins(x=0.12)
    axes.set(title="Ranking quality in the test window", xlabel=_ndcg(report["candidate"])[0])


def _slices(axes: Any, report: Mapping[str, Any]) -> None:
    slices = report["slices"]
    place = np.arange(len(slices))
    there = [name for name in COLOURS if report[name] is not None]
    height = 0.8 / len(there)
    for position, name in enumerate(there):
        values = [_ndcg(s[name])[1] if s[name] else float("nan") for s in slices.values()]
        axes.barh(place + position * height, values, height, color=COLOURS[name], label=name)
    axes.set_yticks(place + 0.4 - height / 2)
    axes.set_yticklabels([f"{name} ({s['rows']:,})" for name, s in slices.items()])
    axes.invert_yaxis()
    axes.set(title="By group of customers", xlabel=_ndcg(report["candidate"])[0])
    if len(there) > 1:
        axes.legend(loc="lower right")


def _repurchase(axes: Any, ranked: Mapping[str, Ranking]) -> None:
    for name, ranking in ranked.items():
        _, precision, recall = metrics.precision_recall(ranking.chances, ranking.labels)
        step = max(1, len(recall) // MOST_POINTS)
        axes.plot(recall[::step], precision[::step], label=name.replace("_", " "), linewidth=1.2)
    axes.set(title="Will it be bought again? Precision and recall", xlabel="recall")
    axes.set(ylabel="precision", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper right")
