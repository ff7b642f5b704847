"""Kafka Connect's file source with exactly-once, as a COMMAND of the campaign.

The object becomes a file of lines, and Connect sends them; 0 once the last one is committed, 75 where it did not come
so far. What the file source cannot know is done for it: the header is taken off, the last line gets its newline, and
for JSON the rows are made objects first. Raw lines are sent as they are: a newline within quotes makes two.

It also gets help at the end. Where a batch is full while whole lines are left in its buffer, it looks at them again
only when the file has grown; so the file is given a last line that grows and never ends, which is never sent.
"""

import csv
import io
import json
import os
import sys
import tempfile
from pathlib import Path

import boto3

from harness.connect import ConnectWorker, committed_place, file_source, offsets_topic, utf16_units
from harness.partition import LiveReader
from harness.wait import TimedOut

DONE_WITHIN_S = 100.0
CONNECTOR = "rows"


def main() -> int:
    """Go on where the attempt before was killed, and end with the last line."""
    servers, job = os.environ["KAFKA_BOOTSTRAP_SERVERS"], os.environ["JOB_ID"]
    if os.environ["KAFKA_PARTITION"] != "0":
        sys.stderr.write("the file source cannot be told a partition\n")
        return 2
    content = lines(read_object(), os.environ.get("VALUE_FORMAT", "json"))
    path = Path(tempfile.gettempdir()) / f"connect-{job}.lines"  # its place is remembered under the file's name
    path.write_bytes(content)
    batch_rows = int(os.environ.get("CHECKPOINT_INTERVAL", "1000"))
    try:
        end = end_from(committed_place(servers, job), content)
        with ConnectWorker(servers, job, own_session=False) as worker:
            worker.submit(
                CONNECTOR, file_source(path, os.environ["KAFKA_TOPIC"], boundary="poll", batch_rows=batch_rows)
            )
            with LiveReader(servers, offsets_topic(job)) as live, path.open("ab", buffering=0) as unfinished:
                worker.await_place(
                    CONNECTOR, end, live, within_s=DONE_WITHIN_S, meanwhile=lambda: unfinished.write(b".")
                )
    except TimedOut as late:
        sys.stderr.write(f"{late}\n")
        return os.EX_TEMPFAIL
    path.unlink()
    return 0


def read_object() -> bytes:
    """Return the bytes of the CSV object."""
    bucket, _, key = os.environ["CSV_SOURCE"].removeprefix("s3://").partition("/")
    return boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def lines(content: bytes, value_format: str) -> bytes:
    """Return what the rows are as lines."""
    text = content.decode("utf-8-sig")
    physical = io.StringIO(text, newline="")
    rows = csv.reader(physical)
    header = next(rows)
    if value_format == "raw":
        after = physical.read()
        return (after + ("" if after.endswith("\n") else "\n")).encode()
    objects = (dict(zip(header, row, strict=True)) for row in rows if row)
    return "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in objects).encode()


def end_from(place: int, content: bytes) -> int:
    """Return where the file source stands at the end when it begins at `place`: it skips bytes, but counts UTF-16."""
    return place + utf16_units(content[place:])


if __name__ == "__main__":
    sys.exit(main())
