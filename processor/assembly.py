"""Settings become adapters, adapters become a processor. Clients are imported here, once it is known which."""

from __future__ import annotations

import importlib.util
import os
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from processor.csv_source import CsvSource
from processor.encoders import find_encoder
from processor.errors import BadSetting
from processor.model import SinkSettings, ValueFormat
from processor.native_rows import native_rows
from processor.opening import JobRules
from processor.pace import Pace
from processor.ports import Checkpoints, Observer, Sink, Source
from processor.processor import CSVToKafkaProcessor
from processor.save_beside import Save, beside
from processor.secret_places import read_secrets
from processor.settings import Settings
from processor.stop import StopSignal


def build_source(settings: Settings) -> Source:
    """Return the source on S3. Raises BadSetting when boto3 finds no region, and as `find_encoder`."""
    from processor.aws import aws_client  # noqa: PLC0415
    from processor.source_s3 import S3Object  # noqa: PLC0415

    chosen = settings.value_format
    value_format = ValueFormat(chosen) if chosen in set(ValueFormat) else find_encoder(chosen)
    stored = S3Object(aws_client("s3"), url=settings.source)
    return CsvSource(
        stored,
        url=settings.source,
        value_format=value_format,
        limits=settings.limits,
        dialect=settings.dialect,
        parts=settings.sink.parts,
        native=native_rows,
    )


def build_checkpoints(settings: Settings) -> Checkpoints:
    """Return the checkpoints on DynamoDB for a new run."""
    from processor.aws import aws_client  # noqa: PLC0415
    from processor.checkpoint_dynamodb import CheckpointManager  # noqa: PLC0415

    owner = uuid.uuid4().hex
    return CheckpointManager(
        aws_client("dynamodb"), table=settings.checkpoint_table, job_id=settings.job_id, owner=owner
    )


def build_sink(client: str, settings: SinkSettings) -> Sink:
    """Return the sink on the chosen client. Raises BadSetting when it is not installed."""
    if client == "kafka-python":
        from processor.sink_kafka_python import KafkaPythonSink  # noqa: PLC0415

        return KafkaPythonSink(settings)
    if importlib.util.find_spec("confluent_kafka") is None:
        raise BadSetting("the client confluent is not installed", hint="pip install 'csv-to-kafka[fast]'")
    from processor.sink_confluent import ConfluentSink  # noqa: PLC0415

    return ConfluentSink(settings)


def build_secured_sink(settings: Settings) -> Sink:
    """Return the sink with the secrets that it needs. Raises BadSetting, and as `read_secrets`."""
    security = read_secrets(settings.sink.security, settings.secret_places, os.environ)
    return build_sink(settings.client, replace(settings.sink, security=security))


def build_processor(
    settings: Settings,
    observer: Observer,
    stop: StopSignal,
    *,
    around: Callable[[Sink], Sink] = lambda sink: sink,
    saving: Callable[[Save], AbstractContextManager[Save]] = beside,
) -> CSVToKafkaProcessor:
    """Return a run that is ready to start; nothing has been asked of anybody yet. `around` may wrap the sink."""
    sink = around(build_secured_sink(settings))  # first: a secret that is not there is told before anything else
    return CSVToKafkaProcessor(
        build_source(settings),
        sink,
        build_checkpoints(settings),
        observer,
        rules=JobRules(settings.sink.delivery, settings.shape, settings.bad_rows),
        pace=Pace(settings.rows_per_s, settings.bytes_per_s),
        stop=stop,
        saving=saving,
    )
