"""What `status` asks beside the table: the object's size of S3, the position of Kafka. Neither is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from processor.assembly import build_secured_sink
from processor.aws import aws_client
from processor.compressed import LONGEST_MAGIC, decompressor_of
from processor.csv_rows import head_of
from processor.errors import ProcessorError, SourceChanged
from processor.model import JobStart
from processor.ops.status import Job, Looked
from processor.resume import current
from processor.settings import load, take
from processor.source_s3 import S3Object


class Looks:
    """A look that fails is said, and not repeated for the next job, which would have to wait for it as well."""

    def __init__(self, flags: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._flags, self._environment = flags, environment
        self._ask_kafka = all(take(flag, flags, environment) for flag in ("--topic", "--bootstrap-servers"))
        self._ask_s3 = True

    def at(self, job: Job) -> Looked:
        """Look at object and position of one job."""
        start = job.checkpoint.start if job.checkpoint else None
        if start is None:
            return Looked()
        size_bytes, why_size = self._size_bytes(start)
        if not self._ask_kafka:
            return Looked(size_bytes, why=why_size)
        given = {"source": start.source_url, "job_id": job.job_id, "partition": str(start.destination.partition)}
        settings = load({**self._flags, **given}, self._environment)
        settings = replace(settings, sink=replace(settings.sink, dead_letter_topic=""))
        try:
            sink = build_secured_sink(settings)
            if sink.describe() != start.destination:
                why = f"topic {settings.sink.topic!r} is not where the job writes to"
                return Looked(size_bytes, why=(*why_size, why))
            position = current(sink.position(), job.checkpoint)
            return Looked(size_bytes, position, position_asked=True, why=why_size)
        except ProcessorError as error:
            self._ask_kafka = False
            return Looked(size_bytes, why=(*why_size, f"the position is not known: {error}"))

    def _size_bytes(self, start: JobStart) -> tuple[int | None, tuple[str, ...]]:
        if not self._ask_s3:
            return None, ()
        try:
            stored = S3Object(aws_client("s3"), url=start.source_url)
            pins, size_bytes = stored.describe(start.pins)
            head, _ = head_of(stored.read(0), LONGEST_MAGIC)
        except ProcessorError as error:
            self._ask_s3 = isinstance(error, SourceChanged)  # this object is gone; others may be there
            return None, (f"the object's size is not known: {error}",)
        if pins.etag != start.pins.etag:
            return None, ("the object has changed since the job started",)
        if decompressor_of(head) is not None:
            return None, ("the object is compressed, and nobody knows the size of what it holds",)
        return size_bytes, ()
