"""Settings: each has one definition that gives its flag, variable, default, type and help. Reads the environment."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from processor import setting_values as values
from processor.csv_source import BatchLimits
from processor.dialect import ENCODINGS, RFC4180, Dialect
from processor.errors import BadSetting
from processor.model import BadRows, Delivery, SinkSettings
from processor.record_parts import RecordParts
from processor.security import MECHANISMS, PROTOCOLS, Security, secret_place
from processor.setting_values import MIB
from processor.source_url import parse_url


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `default` None means that it must be given, unless `absent` says what else there is then.

    What was given for a `quiet` one is never repeated in an error: it may be a secret in the wrong place.
    """

    flag: str
    variable: str
    parse: Callable[[str], Any]
    default: Any
    meaning: str
    choices: tuple[str, ...] = ()
    absent: str = ""
    quiet: bool = False

    @property
    def name(self) -> str:
        """The attribute under which argparse keeps it."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def without(self) -> str:
        """What it is when it is not given, in words."""
        return self.absent or ("required" if self.default is None else f"`{self.default}`")


SETTINGS = (
    Setting("--source", "CSV_SOURCE", values.source, None, "the CSV object, `s3://bucket/key`"),
    Setting("--topic", "KAFKA_TOPIC", values.name, None, "the topic; it must exist"),
    Setting("--partition", "KAFKA_PARTITION", values.from_zero, 0, "the partition; this job must be its only writer"),
    Setting(
        "--bootstrap-servers", "KAFKA_BOOTSTRAP_SERVERS", values.servers, None, "`host:port`, or several with commas"
    ),
    Setting(
        "--checkpoint-table", "CHECKPOINT_TABLE", values.table, None,
        "the DynamoDB table; its only key is `job_id` (S)",
    ),
    Setting(
        "--job-id", "JOB_ID", values.name, None,
        "names the job, its group and its transactional.id; by default the object's file name and 8 hex digits of "
        "a hash of bucket, key, topic and partition", absent="derived",
    ),
    Setting(
        "--delivery", "DELIVERY", str, "exactly-once",
        "`at-least-once` may repeat up to one interval of rows after a crash, and needs no transactions",
        ("exactly-once", "at-least-once"),
    ),
    Setting(
        "--client", "KAFKA_CLIENT", str, "kafka-python",
        "`confluent` is several times faster and comes with the extra `fast`", ("kafka-python", "confluent"),
    ),
    Setting(
        "--compression", "KAFKA_COMPRESSION", str, "gzip", "of record batches; `lz4` costs the least time",
        ("gzip", "lz4", "snappy", "zstd", "none"),
    ),
    Setting("--checkpoint-interval", "CHECKPOINT_INTERVAL", values.positive, 10_000, "rows in a transaction, at most"),
    Setting("--batch-bytes", "BATCH_BYTES", values.positive, 16 * MIB, "bytes of values in a transaction, about"),
    Setting(
        "--commit-interval-s", "COMMIT_INTERVAL_S", values.seconds, 5.0, "seconds after which a batch is not filled up"
    ),
    Setting(
        "--max-rows-per-s", "MAX_ROWS_PER_S", values.positive, None,
        "a rate that is not exceeded; a transaction then holds the rows of one second at most", absent="none",
    ),
    Setting(
        "--max-bytes-per-s", "MAX_BYTES_PER_S", values.positive, None,
        "the same of values before compression; MSK Serverless takes 5 MB/s a partition", absent="none",
    ),
    Setting("--max-row-bytes", "MAX_ROW_BYTES", values.positive, 16 * MIB, "a longer row is a bad row"),
    Setting(
        "--transaction-timeout-ms", "KAFKA_TRANSACTION_TIMEOUT_MS", values.transaction_ms, 60_000,
        "after this the broker aborts a transaction that nobody ended; three quarters of it bound a delivery",
    ),
    Setting(
        "--format", "VALUE_FORMAT", values.value_format, "json",
        "`json`: an object of header to string, in header order; `raw`: the row's bytes without its line end; or the "
        "name of an encoder that is installed",
    ),
    Setting(
        "--key", "RECORD_KEY", values.column_names, None,
        "the column that makes the records' keys, or several with commas: then a key is a JSON array of the cells",
        absent="none",
    ),
    Setting(
        "--record-headers", "RECORD_HEADERS", str, "none",
        "`position`: each record has the headers `row` and `byte_offset`, in decimal digits", ("none", "position"),
    ),
    Setting(
        "--timestamp", "RECORD_TIMESTAMP", values.column_name, None,
        "the column that makes the records' timestamps: ISO 8601, in UTC unless it says otherwise, or milliseconds "
        "since 1970", absent="the client's clock",
    ),
    Setting("--delimiter", "CSV_DELIMITER", values.sign, ",", "the character between two cells; `tab` for a tab"),
    Setting("--quote", "CSV_QUOTE", values.sign_or_none, '"', "the character around cells; `none`: no character is"),
    Setting(
        "--escape", "CSV_ESCAPE", values.sign_or_none, None,
        "the character behind it is only itself, a quote or a line end say; a doubled quote is one all the same",
        absent="none",
    ),
    Setting(
        "--comment", "CSV_COMMENT", values.sign_or_none, None, "a line that begins with this character is no row",
        absent="none",
    ),
    Setting("--encoding", "CSV_ENCODING", str, "utf-8", "of the object; JSON is UTF-8 whatever this is", ENCODINGS),
    Setting(
        "--columns", "CSV_COLUMNS", values.columns, None,
        "for an object without a header row: its columns' names, with commas, or `numbered` for 1, 2, 3 and so on; "
        "by default the first row names them", absent="the first row",
    ),
    Setting(
        "--on-bad-row", "ON_BAD_ROW", str, "fail",
        "`fail`: commit the rows before it, then exit 5; `skip`: send nothing of it, count it, go on behind it; "
        "`dead-letter`: that, and send it to `--dead-letter-topic`",
        ("fail", "skip", "dead-letter"),
    ),
    Setting(
        "--dead-letter-topic", "DEAD_LETTER_TOPIC", values.name, None,
        "another topic, to whose partition 0 bad rows go with `dead-letter`, in the same transaction", absent="none",
    ),
    Setting(
        "--security-protocol", "KAFKA_SECURITY_PROTOCOL", str, PROTOCOLS[0],
        "of every connection to Kafka, by its name there: `SSL`, `SASL_SSL`, `SASL_PLAINTEXT`", PROTOCOLS,
    ),
    Setting(
        "--sasl-mechanism", "KAFKA_SASL_MECHANISM", str, MECHANISMS[0],
        "or `SCRAM-SHA-256`; `AWS_MSK_IAM` takes the AWS credentials and comes with the extra `msk-iam`", MECHANISMS,
    ),
    Setting("--sasl-username", "KAFKA_SASL_USERNAME", values.line, "", "the SCRAM user", absent="none"),
    Setting(
        "--sasl-password-from", "KAFKA_SASL_PASSWORD_FROM", secret_place, "env:KAFKA_SASL_PASSWORD",
        "where that user's password stands: `env:NAME`, `file:PATH` or the ARN of a secret in Secrets Manager, which "
        "may be a JSON object of `username` and `password`", quiet=True,
    ),
    Setting(
        "--tls-ca", "KAFKA_TLS_CA", values.line, "", "file of the authorities to trust, in PEM", absent="the system's",
        quiet=True,
    ),
    Setting(
        "--tls-certificate", "KAFKA_TLS_CERTIFICATE", values.line, "",
        "file of the client's certificate and its chain, in PEM: TLS becomes mTLS", absent="none", quiet=True,
    ),
    Setting(
        "--tls-key-from", "KAFKA_TLS_KEY_FROM", secret_place, "env:KAFKA_TLS_KEY",
        "where that certificate's key stands, in PEM; said in the same way", quiet=True,
    ),
    Setting(
        "--tls-key-password-from", "KAFKA_TLS_KEY_PASSWORD_FROM", secret_place, "env:KAFKA_TLS_KEY_PASSWORD",
        "where that key's password stands, if it has one", quiet=True,
    ),
    Setting(
        "--metrics", "METRICS", str, "none",
        "`emf`: a line a minute from which CloudWatch Logs makes metrics by itself", ("none", "emf"),
    ),
    Setting(
        "--log-level", "LOG_LEVEL", str, "info",
        "of the lines on stdout: `warning` leaves out what goes well, but for the end; `debug` adds what the "
        "libraries say, on stderr", ("debug", "info", "warning"),
    ),
    Setting(
        "--spot-notice", "SPOT_NOTICE", str, "off",
        "`imds`: ask the EC2 instance whether Spot takes it away, and then end as by SIGTERM", ("off", "imds"),
    ),
)  # fmt: skip


# What a connection may need, and the settings that say where it stands.
SECRETS = {"password": "sasl_password", "key": "tls_key", "key_password": "tls_key_password"}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run needs to know, checked."""

    source: str
    job_id: str
    client: str
    checkpoint_table: str
    value_format: str  # one of ValueFormat, or the name of an encoder that is installed
    limits: BatchLimits
    dialect: Dialect
    bad_rows: BadRows
    rows_per_s: float
    bytes_per_s: float
    sink: SinkSettings
    secret_places: Mapping[str, str]  # of `sink.security`, which has none of the secrets yet
    metrics: str
    log_level: str
    spot_notice: str

    @property
    def shape(self) -> str:
        """A fingerprint of every setting that shapes records; a job keeps it from its first fence on."""
        dialect = "rfc4180" if self.dialect == RFC4180 else asdict(self.dialect)
        parts = self.sink.parts
        shaping = {
            "format": self.value_format,
            "dialect": dialect,
            "key": parts.key or None,
            "delivery": self.sink.delivery,
            # Named only where they are given: jobs that began before there were such settings go on.
            **({"headers": "position"} if parts.position else {}),
            **({"timestamp": parts.timestamp} if parts.timestamp else {}),
        }
        return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()[:16]


def add_flags(
    parser: argparse.ArgumentParser, *, without: Collection[str] = (), optional: Collection[str] = ()
) -> None:
    """Give the parser one flag for each setting. Values stay text: flag and variable are checked alike."""
    required = parser.add_argument_group("required, as a flag or as a variable")
    others = parser.add_argument_group("optional")
    for setting in SETTINGS:
        if setting.flag in without:
            continue
        is_required = setting.default is None and not setting.absent and setting.flag not in optional
        default = f", default {setting.absent or setting.default}" if setting.absent or setting.default else ""
        number = isinstance(setting.default, int | float)
        (required if is_required else others).add_argument(
            setting.flag,
            metavar="|".join(setting.choices) or ("N" if number else setting.name.split("_")[-1].upper()),
            help=f"{setting.meaning.replace('`', '')} (${setting.variable}{default})".replace("%", "%%"),
        )


def load(flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
    """Take each setting from its flag, else its variable, else its default. Raises BadSetting."""
    chosen = {setting.name: _value(setting, flags.get(setting.name), environment) for setting in SETTINGS}
    bad_rows = BadRows(chosen["on_bad_row"])
    job_id = chosen["job_id"] or derive_job_id(chosen["source"], chosen["topic"], chosen["partition"])
    if chosen["max_row_bytes"] > 1024 * MIB:
        raise BadSetting("--max-row-bytes is over 1 GiB", hint="a row must fit into memory several times")
    rows_per_s, bytes_per_s = chosen["max_rows_per_s"] or math.inf, chosen["max_bytes_per_s"] or math.inf
    return Settings(
        source=chosen["source"],
        job_id=job_id,
        client=chosen["client"],
        checkpoint_table=chosen["checkpoint_table"],
        value_format=chosen["format"],
        # With a rate, no more than a second's worth at once: the batch is what goes at full speed.
        limits=BatchLimits(
            min(chosen["checkpoint_interval"], rows_per_s),
            min(chosen["batch_bytes"], bytes_per_s),
            chosen["commit_interval_s"],
            chosen["max_row_bytes"],
        ),
        dialect=_dialect(chosen),
        bad_rows=bad_rows,
        rows_per_s=rows_per_s,
        bytes_per_s=bytes_per_s,
        sink=SinkSettings(
            chosen["bootstrap_servers"],
            chosen["topic"],
            chosen["partition"],
            f"csv-to-kafka.{job_id}",
            Delivery(chosen["delivery"]),
            chosen["compression"],
            chosen["transaction_timeout_ms"],
            Security(
                chosen["security_protocol"],
                chosen["sasl_mechanism"],
                chosen["sasl_username"],
                chosen["tls_ca"],
                chosen["tls_certificate"],
            ),
            RecordParts(chosen["key"] or (), chosen["record_headers"] == "position", chosen["timestamp"] or ""),
            _dead_letter_topic(chosen) if bad_rows is BadRows.DEAD_LETTER else "",
        ),
        secret_places={name: chosen[f"{flag}_from"] for name, flag in SECRETS.items()},
        metrics=chosen["metrics"],
        log_level=chosen["log_level"],
        spot_notice=chosen["spot_notice"],
    )


def _dialect(chosen: Mapping[str, Any]) -> Dialect:
    dialect = Dialect(*(chosen[name] for name in ("delimiter", "quote", "escape", "comment", "encoding", "columns")))
    signs = [sign for sign in (dialect.delimiter, dialect.quote, dialect.escape, dialect.comment) if sign]
    if len(set(signs)) < len(signs):
        raise BadSetting(
            "two of --delimiter, --quote, --escape and --comment are the same", hint="give each its own character"
        )
    return dialect


def _dead_letter_topic(chosen: Mapping[str, Any]) -> str:
    topic = chosen["dead_letter_topic"]
    if topic is None:
        raise BadSetting("--dead-letter-topic is missing", hint="give it, or set DEAD_LETTER_TOPIC, or skip bad rows")
    if topic == chosen["topic"]:
        raise BadSetting("--dead-letter-topic is the topic of the rows", hint="give bad rows another topic")
    return str(topic)


def take(flag: str, flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Any:
    """Take a single setting as `load` does, None where it is missing. Raises BadSetting for one that makes no sense."""
    setting = next(setting for setting in SETTINGS if setting.flag == flag)
    return _value(replace(setting, absent="none"), flags.get(setting.name), environment)


def derive_job_id(source: str, topic: str, partition: int) -> str:
    """Return the key's file name and 8 hex digits of sha256 of bucket, key, topic and partition."""
    bucket, key = parse_url(source)
    digest = hashlib.sha256("\0".join((bucket, key, topic, str(partition))).encode()).hexdigest()[:8]
    file_name = re.sub(r"[^A-Za-z0-9._-]", "_", key.rsplit("/", 1)[-1])[:150]
    return f"{file_name}-{digest}"


def readme_table() -> str:
    """Return the table of settings as it stands in the README."""
    lines = ["| flag | environment | default | meaning |", "|---|---|---|---|"]
    lines += [f"| `{one.flag}` | `{one.variable}` | {one.without} | {one.meaning} |" for one in SETTINGS]
    return "\n".join(lines)


def _value(setting: Setting, flag: str | None, environment: Mapping[str, str]) -> Any:
    text = flag if flag is not None else environment.get(setting.variable) or None
    if text is None:
        if setting.default is None and not setting.absent:
            raise BadSetting(f"{setting.flag} is missing", hint=f"give it, or set {setting.variable}")
        return setting.default
    given_by = setting.flag if flag is not None else setting.variable
    if setting.choices and text not in setting.choices:
        raise BadSetting(f"{given_by}={text!r} is not one of {', '.join(setting.choices)}", hint="choose one of them")
    try:
        return setting.parse(text)
    except ValueError as error:
        given = given_by if setting.quiet else f"{given_by}={text!r}"
        raise BadSetting(f"{given}: {error}", hint="see csv-to-kafka run --help") from (
            None if setting.quiet else error
        )
