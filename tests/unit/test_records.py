"""Records: written once, whole, sealed, read back as they were."""

import json
import math
from pathlib import Path

import pytest

from slipway import records
from slipway.errors import EvidenceError, ToolError
from slipway.records import Dataset, Evaluation, Finding, Verdict, write_atomically


def dataset(**changes: object) -> Dataset:
    values: dict[str, object] = {
        "subject": "md5:aa.dir",
        "files": {"data/a.csv": "md5:1"},
        "bytes": 3,
        "source": "remote",
    }
    return Dataset(**{**values, **changes})  # type: ignore[arg-type]


def evaluation(ndcg: float) -> Evaluation:
    return Evaluation(
        subject="sha256:m",
        dataset="md5:aa.dir",
        champion=None,
        candidate_metrics={"ndcg": ndcg},
        champion_metrics=None,
        baselines={},
        window={},
        evidence={},
    )


def test_a_record_reads_back_as_it_was_written(tmp_path: Path) -> None:
    written = records.write(tmp_path, "dataset", dataset())
    assert records.read(tmp_path, "dataset", Dataset) == written
    assert written.written_at


def test_a_file_has_sorted_keys_and_a_final_newline(tmp_path: Path) -> None:
    records.write(tmp_path, "dataset", dataset())
    text = (tmp_path / "dataset.json").read_text()
    assert text.endswith("}\n")
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_nan_is_written_as_null_and_read_back_as_nan(tmp_path: Path) -> None:
    records.write(tmp_path, "evaluation", evaluation(math.nan))
    assert json.loads((tmp_path / "evaluation.json").read_text())["candidate_metrics"] == {
        "ndcg": None
    }
    again = records.read(tmp_path, "evaluation", Evaluation)
    assert math.isnan(again.candidate_metrics["ndcg"])


def test_the_same_facts_leave_the_file_byte_for_byte(tmp_path: Path) -> None:
    records.write(tmp_path, "dataset", dataset(commit="one"))
    before = (tmp_path / "dataset.json").read_bytes()
    records.write(tmp_path, "dataset", dataset(commit="two"))
    assert (tmp_path / "dataset.json").read_bytes() == before


def test_new_facts_about_the_same_subject_replace_the_file(tmp_path: Path) -> None:
    records.write(tmp_path, "dataset", dataset())
    records.write(tmp_path, "dataset", dataset(source="source"))
    assert records.read(tmp_path, "dataset", Dataset).source == "source"


def test_a_record_about_another_subject_is_not_overwritten(tmp_path: Path) -> None:
    records.write(tmp_path, "dataset", dataset())
    with pytest.raises(EvidenceError, match="is about md5:aa.dir, not about md5:bb.dir"):
        records.write(tmp_path, "dataset", dataset(subject="md5:bb.dir"))
    assert records.read(tmp_path, "dataset", Dataset).subject == "md5:aa.dir"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"[1]", "altered"),
        (b"null", "altered"),
        (b"{}", "altered"),
        (b"\xff\xfe", "malformed"),
        (b'{"a": ' * 100_000, "malformed"),
    ],
)
def test_a_malformed_record_is_missing_evidence(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "dataset.json").write_bytes(content)
    with pytest.raises(EvidenceError, match=said):
        records.read(tmp_path, "dataset", Dataset)


@pytest.mark.parametrize(("old", "new"), [('"bytes": 3', '"bytes": 4'), ("remote", "source")])
def test_an_altered_record_is_refused(tmp_path: Path, old: str, new: str) -> None:
    records.write(tmp_path, "dataset", dataset())
    path = tmp_path / "dataset.json"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(EvidenceError, match="altered"):
        records.read(tmp_path, "dataset", Dataset)


def test_a_sealed_record_with_an_unknown_field_is_refused(tmp_path: Path) -> None:
    content = {"schema": "dataset/1", "surprise": 1}
    sealed = {**content, "seal": records.seal(content)}
    (tmp_path / "dataset.json").write_bytes(records.canonical(sealed))
    with pytest.raises(EvidenceError, match="unknown key"):
        records.read(tmp_path, "dataset", Dataset)


def test_a_missing_record_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"there is no dataset\.json"):
        records.read(tmp_path, "dataset", Dataset)
    assert records.read_if_there(tmp_path, "dataset", Dataset) is None


def test_a_failed_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.write(tmp_path, "dataset", dataset())
    before = (tmp_path / "dataset.json").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ToolError, match="No space left"):
        records.write(tmp_path, "dataset", dataset(source="source"))
    assert (tmp_path / "dataset.json").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["dataset.json"]


def test_a_tree_digest_depends_on_names_and_contents_alone(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name / "sub"
        folder.mkdir(parents=True)
        (folder / "b").write_text("b")
        (tmp_path / name / "a").write_text("a")
    assert records.digest_tree(tmp_path / "one") == records.digest_tree(tmp_path / "two")
    (tmp_path / "two" / "a").rename(tmp_path / "two" / "c")
    assert records.digest_tree(tmp_path / "one") != records.digest_tree(tmp_path / "two")


def test_a_verdict_keeps_whatever_was_measured(tmp_path: Path) -> None:
    findings = (
        Finding("g", "pass", 1, ">= 1", "m"),
        Finding("g", "pass", [1, "a", None], {"k": 1.5}, "m"),
        Finding("g", "block", math.inf, None, "<script>"),
    )
    verdict = Verdict(
        subject="s",
        subject_kind="data",
        of="s",
        outcome="block",
        findings=findings,
        evidence={},
        settings_digest="d",
    )
    records.write(tmp_path, "data-verdict", verdict)
    again = records.read(tmp_path, "data-verdict", Verdict)
    assert [f.measured for f in again.findings] == [1, [1, "a", None], "inf"]


@pytest.mark.parametrize("rights", [0o600, 0o640])
def test_a_file_that_is_written_anew_keeps_its_rights(tmp_path: Path, rights: int) -> None:
    path = tmp_path / "config.local"
    path.write_text("password = secret")
    path.chmod(rights)
    write_atomically(path, b"password = another")
    assert path.stat().st_mode & 0o777 == rights
    assert path.read_bytes() == b"password = another"
