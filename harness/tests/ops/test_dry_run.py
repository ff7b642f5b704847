"""`run --dry-run` ends as the run would, says why, and changes nothing; each time the run itself is asked too."""

from __future__ import annotations

import io

import pytest

from harness.fakes import FakeCheckpoints, FakeCheckpointTable, FakeKey, FakeObject, FakePartition, FakeSink
from harness.tests.ops.planted import HEADER, batch, csv_of, row_bytes
from processor import read_ahead, save_beside
from processor.csv_source import BatchLimits, CsvSource
from processor.errors import ProcessorError
from processor.model import CommittedPosition, Delivery, Pins, Position, SinkSettings, Status, ValueFormat
from processor.opening import JobRules
from processor.ops.dry_run import MOST, DryRun
from processor.processor import CSVToKafkaProcessor
from processor.record_parts import RecordParts
from processor.stop import Clock, StopSignal

MAX_ROW_BYTES = 200
RAGGED, NOT_UTF8, AFTER_QUOTE = b"1,2,3\n", b"1,\xff\n", b'1,"a"b\n'


class Silent:
    """An observer that nobody listens to."""

    def step(self, *_: object, **__: object) -> None:
        """Forget it."""


NOTHING_BESIDE = RecordParts()


class Place:
    """One job's place in a world of fakes; `dry` and `real` look at it and move it."""

    def __init__(
        self, csv: bytes, *, delivery: Delivery = Delivery.EXACTLY_ONCE, parts: RecordParts = NOTHING_BESIDE
    ) -> None:
        self.key = FakeKey(csv)
        self.partition = FakePartition()
        self.table = FakeCheckpointTable()
        self.rules = JobRules(delivery, "shape")
        self.settings = SinkSettings("fake:9092", "rows", 0, "csv-to-kafka.job", delivery, parts=parts)

    def parts(self) -> tuple[CsvSource, FakeSink, FakeCheckpoints]:
        source = CsvSource(
            FakeObject(self.key),
            url=self.key.url,
            value_format=ValueFormat.JSON,
            limits=BatchLimits(interval_rows=4, max_row_bytes=MAX_ROW_BYTES),
            parts=self.settings.parts,
        )
        sink = FakeSink(self.partition, self.settings)
        return source, sink, FakeCheckpoints(self.table, job_id="job", owner="me")

    def dry(self) -> tuple[int, str]:
        """Return exit code and everything that is printed; fails if anything was changed."""
        out = io.StringIO()
        before = self.state()
        code = 0
        try:
            DryRun(
                *self.parts(),
                rules=self.rules,
                clock=Clock(StopSignal()),
                out=out,
            ).run()
        except ProcessorError as error:
            code = error.exit_code
            out.write(str(error))
        assert self.state() == before
        return code, out.getvalue()

    def real(self) -> int:
        """Run the job; return its exit code."""
        processor = CSVToKafkaProcessor(
            *self.parts(),
            Silent(),
            rules=self.rules,
            read_ahead=read_ahead.in_turn,
            saving=save_beside.in_turn,
            clock=Clock(StopSignal()),
        )
        try:
            processor.run()
        except ProcessorError as error:
            return error.exit_code
        return 0

    def state(self) -> object:
        offsets, producers = dict(self.partition.group_offsets), repr(self.partition._coordinated)
        return len(self.table.versions), self.partition.entries(), offsets, producers


BAD = {
    "ragged": (csv_of(6) + RAGGED + row_bytes(7), "row 6, bytes 104 to 110 of the object: 3 cells where"),
    "not UTF-8": (csv_of(6) + NOT_UTF8 + row_bytes(7), "row 6, bytes 104 to 108 of the object: byte 2 of the row"),
    "after a quote": (csv_of(6) + AFTER_QUOTE + row_bytes(7), "row 6, bytes 104 to 111 of the object"),
    "open quote": (csv_of(6) + b'1,"a\n', "row 6, bytes 104 to 109 of the object: a quote is never closed"),
    "too long": (csv_of(6) + b"1," + b"x" * 300 + b"\n", "row 6, bytes 104 to 407 of the object: the row is longer"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_row_is_named_with_row_bytes_and_reason_and_the_code_is_the_runs(kind: str) -> None:
    csv, said = BAD[kind]
    place = Place(csv)
    code, printed = place.dry()
    assert f"bad: {said}" in printed
    assert "a run would end with 5: row 6" in printed
    assert "nothing was sent or claimed" in printed
    assert code == place.real() == 5


def test_every_bad_row_is_named_and_the_rows_behind_it_are_counted() -> None:
    place = Place(csv_of(3) + RAGGED + row_bytes(4) + AFTER_QUOTE + NOT_UTF8 + row_bytes(7))
    code, printed = place.dry()
    assert code == 5
    assert [line.split(",")[0] for line in printed.splitlines() if line.startswith("bad: ")] == [
        "bad: row 3", "bad: row 5", "bad: row 6",
    ]  # fmt: skip
    assert f"{place.key.url}: 8 rows, " in printed


def test_bad_rows_are_all_counted_and_named_up_to_a_bound() -> None:
    code, printed = Place(HEADER + RAGGED * 100).dry()
    assert (code, printed.count("bad: ")) == (5, MOST)
    assert f"and {100 - MOST} more of that kind" in printed
    assert "100 rows, 100 of them bad" in printed


def test_a_good_object_is_counted_and_the_run_would_end_with_0() -> None:
    place = Place(csv_of(10))
    code, printed = place.dry()
    assert f"{place.key.url}: 10 rows, {len(csv_of(10))} bytes" in printed
    assert "a run would start at the first row" in printed
    assert "not tried" in printed
    assert code == place.real() == 0


def test_a_completed_job_would_send_nothing() -> None:
    place = Place(csv_of(10))
    assert place.real() == 0
    code, printed = place.dry()
    assert (code, "the job is completed: a run would send nothing" in printed) == (0, True)


def test_a_job_half_done_would_go_on_at_its_row_and_its_bad_row_still_ends_it() -> None:
    place = Place(BAD["ragged"][0])
    assert place.real() == 5
    code, printed = place.dry()
    assert "a run would go on at row 6, byte 104" in printed
    assert code == place.real() == 5


def test_an_expired_position_would_be_looked_for_in_the_partition() -> None:
    place = Place(BAD["ragged"][0])
    assert place.real() == 5
    place.partition.expire_group_offsets()
    assert "a run would compare the records from offset 7 with the rows from 6 on" in place.dry()[1]


@pytest.mark.parametrize("first_too_large", [False, True])
def test_of_a_record_too_large_and_a_bad_row_the_first_one_decides(*, first_too_large: bool) -> None:
    large, bad = b"1," + b"x" * 150 + b"\n", RAGGED
    place = Place(csv_of(4) + (large if first_too_large else bad) + row_bytes(5) + (bad if first_too_large else large))
    place.partition.max_record_bytes = 100
    code, printed = place.dry()
    assert "too large: " in printed
    assert "bad: " in printed
    assert code == place.real() == (2 if first_too_large else 5)


def moved_topic(place: Place) -> None:
    assert place.real() == 5
    place.partition.recreate()


def lost_tail(place: Place) -> None:
    assert place.real() == 5
    place.partition.truncate(5)


def lost_record(place: Place) -> None:
    assert place.real() == 5
    place.partition.truncate(5)
    stranger = place.partition.init_producer("stranger")
    place.partition.append(stranger, [b"1"])
    place.partition.commit(stranger, {})  # its marker lies where the last record was
    place.partition.append(place.partition.init_producer(None), [b"2"])


def changed_object(place: Place) -> None:
    assert place.real() == 5
    place.key.put(csv_of(7))


def no_topic(place: Place) -> None:
    place.partition.exists = False


def compacted(place: Place) -> None:
    place.partition.cleanup_policy = "compact"


def no_object(place: Place) -> None:
    place.key.delete()


def gzip(place: Place) -> None:
    place.key.put(b"\x1f\x8b\x08")


def bad_header(place: Place) -> None:
    place.key.put(b"id,id\n1,2\n")


def no_table(place: Place) -> None:
    place.table.exists = False


def no_broker(place: Place) -> None:
    place.partition.reachable = False


@pytest.mark.parametrize(
    ("happened", "code"),
    [
        (moved_topic, 6), (lost_tail, 6), (lost_record, 6), (changed_object, 3), (no_topic, 2), (compacted, 2),
        (no_object, 3), (gzip, 2), (bad_header, 5), (no_table, 2), (no_broker, 75),
    ],
)  # fmt: skip
def test_what_a_run_would_be_refused_for_is_told(happened: object, code: int) -> None:
    place = Place(BAD["ragged"][0])
    happened(place)  # type: ignore[operator]
    assert place.dry()[0] == code == place.real()


@pytest.mark.parametrize("delivery", list(Delivery))
def test_a_run_that_is_at_work_is_not_disturbed(delivery: Delivery) -> None:
    place = Place(csv_of(10), delivery=delivery)
    sink = FakeSink(place.partition, place.settings)
    checkpoints = FakeCheckpoints(place.table, job_id="job", owner="other")
    checkpoints.claim()
    sink.fence()
    sink.send(batch([b"1"]))
    assert place.dry()[0] == 0
    sink.commit(CommittedPosition(Position(1, 20), Pins('"etag"'), "shape", 0))
    checkpoints.finish(Status.STOPPED)


def test_cells_that_are_no_timestamp_are_bad_rows_and_a_run_ends_likewise() -> None:
    rows = [b"1,2024-01-01\n", b"2,soon\n", b"3,2024-01-03\n", b"4,2024-13-01\n", b"5,2024-01-05\n"]
    place = Place(b"id,at\n" + b"".join(rows), parts=RecordParts(("id",), position=True, timestamp="at"))
    code, said = place.dry()
    assert code == 5
    assert "bad: row 1, bytes 19 to 26 of the object: the cell in column 'at' is no timestamp: neither" in said
    assert (
        "bad: row 3, bytes 39 to 52 of the object: the cell in column 'at' is no timestamp: there is no such moment"
        in said
    )
    assert ": 5 rows, " in said
    assert place.real() == 5
    assert [(c.key, c.timestamp_ms) for _, c in place.partition.contents()] == [(b"1", 1_704_067_200_000)]


def test_a_column_that_is_not_there_ends_with_2_and_names_those_that_are() -> None:
    place = Place(b"id,at\n1,2\n", parts=RecordParts(("at", "name")))
    assert place.dry() == (2, "--key: there is no column 'name' (there are id, at)")
    assert place.real() == 2
    assert place.table.get("job") is None


def test_a_key_that_makes_a_record_too_large_is_named() -> None:
    place = Place(b"id,text\n1,x\n2,%s\n" % (b"y" * 150), parts=RecordParts(("text",)))
    place.partition.max_record_bytes = 300
    code, said = place.dry()
    assert (code, "too large: " in said) == (2, True), said
