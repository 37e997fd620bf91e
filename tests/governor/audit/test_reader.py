from collections.abc import Sequence
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governor.audit.log import FlightLog
from governor.audit.reader import FlightRun
from governor.audit.schema import TABLES
from governor.audit.window import FlightWindow
from governor.errors import AuditError
from governor.records import Record
from tests.governor.audit import flights
from tests.governor.audit.flights import numbered


def record(run_dir: Path, records: Sequence[Record]) -> FlightRun:
    window = FlightWindow("p")
    with FlightLog(run_dir / "audit", run_id="run-1") as log:
        for item in records:
            window.add(item)
        while frames := window.frames_to_send():
            window.acknowledge(log.append(frames))
    return FlightRun.open(run_dir)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(flights.actions, max_size=5),
    st.lists(flights.outcomes, max_size=5),
    st.lists(flights.rollouts, max_size=5),
)
def test_every_record_comes_back_equal(
    tmp_path_factory: pytest.TempPathFactory,
    actions: list[Record],
    outcomes: list[Record],
    rollouts: list[Record],
) -> None:
    run = record(tmp_path_factory.mktemp("run"), [*actions, *outcomes, *rollouts])
    assert list(run.actions()) == actions
    assert list(run.outcomes()) == outcomes
    assert list(run.rollouts()) == rollouts
    assert [run.count(table) for table in TABLES] == [len(actions), len(outcomes), len(rollouts)]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("run")
    record(run_dir, [numbered(position) for position in range(1, 101)])
    return run_dir


def test_tables_have_their_columns(run_dir: Path) -> None:
    run = FlightRun.open(run_dir)
    for table, schema in TABLES.items():
        assert run.table(table).schema == schema
    assert run.table("actions").column("run_id").to_pylist() == ["run-1"] * 50


def test_a_row_is_tied_to_its_frame(run_dir: Path) -> None:
    rows = (
        FlightRun.open(run_dir).table("outcomes").select(["producer", "batch_seq", "batch_row"]).to_pylist()
    )
    assert rows == [{"producer": "p", "batch_seq": 1, "batch_row": row} for row in range(40)]


def test_times_are_there_for_reading_and_exactly(run_dir: Path) -> None:
    row = FlightRun.open(run_dir).table("rollouts").slice(9, 1)
    assert row.column("ended_unix_nano").to_pylist() == [100]
    assert row.column("ended").cast("int64").to_pylist() == [0]


@pytest.mark.parametrize("table", TABLES)
def test_a_table_without_rows_has_its_schema(tmp_path: Path, table: str) -> None:
    assert record(tmp_path, []).table(table).equals(TABLES[table].empty_table())


def test_duckdb_reads_the_tables_while_they_are_written(tmp_path: Path) -> None:
    window = FlightWindow("p")
    with FlightLog(tmp_path / "audit", run_id="run-1") as log:
        for position in range(1, 101):
            log.append(flights.send(window, numbered(position)))
            window.acknowledge(position - 1)
            if position % 50 == 0:
                log.seal()
        query = f"""
            select effect, count(*), count(distinct batch_seq), max(time) < now()
            from read_parquet('{tmp_path}/audit/actions/*.parquet') group by effect"""
        assert duckdb.connect().execute(query).fetchall() == [("allow", 50, 50, True)]


def test_pandas_polars_and_pyarrow_read_a_folder(run_dir: Path) -> None:
    folder = run_dir / "audit" / "rollouts"
    assert pd.read_parquet(folder)["attempt"].tolist() == list(range(10, 101, 10))
    assert pl.read_parquet(folder)["attempt"].to_list() == list(range(10, 101, 10))
    assert pq.read_table(folder)["attempt"].to_pylist() == list(range(10, 101, 10))


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=r"is not a recorded run: `audit/manifest\.jsonl`"):
        FlightRun.open(tmp_path)


def test_an_unknown_table_is_an_error_with_the_known_ones(run_dir: Path) -> None:
    run = FlightRun.open(run_dir)
    for read in (run.table, run.count):
        with pytest.raises(AuditError, match="no table `action`; choose from actions, outcomes, rollouts"):
            read("action")


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    run = record(tmp_path, [numbered(1)])
    run.verify()
    path = tmp_path / "audit/actions/part-00000001.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(AuditError, match=r"part-00000001\.parquet` has changed since it was sealed"):
        run.verify()


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    run = record(tmp_path, [numbered(1)])
    (tmp_path / "audit/actions/part-00000001.parquet").unlink()
    with pytest.raises(AuditError, match="cannot be read"):
        run.verify()
    with pytest.raises(AuditError, match="cannot be read"):
        list(run.actions())


def test_a_damaged_manifest_is_named_with_its_line(tmp_path: Path) -> None:
    record(tmp_path, [numbered(1)])
    with (tmp_path / "audit/manifest.jsonl").open("ab") as file:
        file.write(b"{]\n")
    with pytest.raises(AuditError, match=r"line 2 of `.*manifest.jsonl` is damaged"):
        FlightRun.open(tmp_path)


def test_a_half_written_line_of_the_manifest_is_not_yet_there(tmp_path: Path) -> None:
    record(tmp_path, [numbered(1)])
    with (tmp_path / "audit/manifest.jsonl").open("ab") as file:
        file.write(b'{"segment":2,"fil')
    assert FlightRun.open(tmp_path).count("actions") == 1
