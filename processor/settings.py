"""Settings: each has one definition that gives its flag, variable, default, type and help. Reads the environment."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from processor.csv_source import BatchLimits
from processor.dialect import ENCODINGS, RFC4180, Dialect
from processor.encoders import installed
from processor.errors import BadSetting
from processor.model import SHORTEST_TRANSACTION_MS, BadRows, Delivery, SinkSettings, ValueFormat
from processor.record_parts import RecordParts
from processor.security import MECHANISMS, PROTOCOLS, Security, secret_place
from processor.source_url import parse_url

MIB = 2**20
# Kafka's own rule for topic names; a job id becomes a group and a transactional.id, which may hold more, but a log
# line, a path and an alarm name may not.
NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
TABLE = re.compile(r"[A-Za-z0-9._:/-]{3,1024}")


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


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("it must be 1 or more")
    return number


def _from_zero(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError("it must be 0 or more")
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 3600:  # noqa: PLR2004  # an hour is longer than any broker's transaction.max.timeout.ms
        raise ValueError("it must be above 0 and at most 3600")
    return seconds


def _transaction_ms(text: str) -> int:
    number = int(text)
    if number < SHORTEST_TRANSACTION_MS:
        raise ValueError(f"it must be {SHORTEST_TRANSACTION_MS} or more")
    return number


def _table(text: str) -> str:
    if not TABLE.fullmatch(text):
        raise ValueError("it is no name or ARN of a DynamoDB table")
    return text


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError("it may hold letters, digits, '.', '_' and '-', 200 at most")
    return text


def _source(text: str) -> str:
    parse_url(text)
    return text


def _sign(text: str) -> str:
    sign = "\t" if text == "tab" else text
    if len(sign) != 1 or not sign.isascii() or (sign < " " and sign != "\t"):
        raise ValueError("it must be one ASCII character, or `tab`")
    return sign


def _sign_or_none(text: str) -> str | None:
    return None if text == "none" else _sign(text)


def _columns(text: str) -> tuple[str, ...]:
    """Return the names, none of them for `numbered`."""
    if text == "numbered":
        return ()
    names = tuple(text.split(","))
    if "" in names or len(set(names)) < len(names):
        raise ValueError("each name must be there, and once")
    return names


def _column_names(text: str) -> tuple[str, ...]:
    """Return the names as a row of CSV gives them: one that holds a comma stands in quotes."""
    try:
        (names,) = csv.reader([text], strict=True)
    except csv.Error as error:
        raise ValueError(f"it is no row of CSV: {error}") from error
    if not names or "" in names or len(set(names)) < len(names):
        raise ValueError("each name must be there, and once")
    return tuple(names)


def _column_name(text: str) -> str:
    if not text:
        raise ValueError("it must be the name of a column")
    return text


def _format(text: str) -> str:
    known = (*ValueFormat, *installed())
    if text not in known:
        raise ValueError(f"it is not one of {', '.join(known)}; others come with packages, see Records in the README")
    return text


def _line(text: str) -> str:
    if not text or "\n" in text:
        raise ValueError("it must be one line")
    return text


def _servers(text: str) -> str:
    for server in text.split(","):
        host, colon, port = server.strip().rpartition(":")
        if not (host and colon and port.isdecimal() and 0 < int(port) < 2**16):
            raise ValueError(f"{server!r} is not host:port")
    return ",".join(server.strip() for server in text.split(","))


SETTINGS = (
    Setting("--source", "CSV_SOURCE", _source, None, "the CSV object, `s3://bucket/key`"),
    Setting("--topic", "KAFKA_TOPIC", _name, None, "the topic; it must exist"),
    Setting("--partition", "KAFKA_PARTITION", _from_zero, 0, "the partition; this job must be its only writer"),
    Setting("--bootstrap-servers", "KAFKA_BOOTSTRAP_SERVERS", _servers, None, "`host:port`, or several with commas"),
    Setting("--checkpoint-table", "CHECKPOINT_TABLE", _table, None, "the DynamoDB table; its only key is `job_id` (S)"),
    Setting(
        "--job-id", "JOB_ID", _name, None,
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
    Setting("--checkpoint-interval", "CHECKPOINT_INTERVAL", _positive, 10_000, "rows in a transaction, at most"),
    Setting("--batch-bytes", "BATCH_BYTES", _positive, 16 * MIB, "bytes of values in a transaction, about"),
    Setting("--commit-interval-s", "COMMIT_INTERVAL_S", _seconds, 5.0, "seconds after which a batch is not filled up"),
    Setting(
        "--max-rows-per-s", "MAX_ROWS_PER_S", _positive, None,
        "a rate that is not exceeded; a transaction then holds the rows of one second at most", absent="none",
    ),
    Setting(
        "--max-bytes-per-s", "MAX_BYTES_PER_S", _positive, None,
        "the same of values before compression; MSK Serverless takes 5 MB/s a partition", absent="none",
    ),
    Setting("--max-row-bytes", "MAX_ROW_BYTES", _positive, 16 * MIB, "a longer row is a bad row"),
    Setting(
        "--transaction-timeout-ms", "KAFKA_TRANSACTION_TIMEOUT_MS", _transaction_ms, 60_000,
        "after this the broker aborts a transaction that nobody ended; three quarters of it bound a delivery",
    ),
    Setting(
        "--format", "VALUE_FORMAT", _format, "json",
        "`json`: an object of header to string, in header order; `raw`: the row's bytes without its line end; or the "
        "name of an encoder that is installed",
    ),
    Setting(
        "--key", "RECORD_KEY", _column_names, None,
        "the column that makes the records' keys, or several with commas: then a key is a JSON array of the cells",
        absent="none",
    ),
    Setting(
        "--record-headers", "RECORD_HEADERS", str, "none",
        "`position`: each record has the headers `row` and `byte_offset`, in decimal digits", ("none", "position"),
    ),
    Setting(
        "--timestamp", "RECORD_TIMESTAMP", _column_name, None,
        "the column that makes the records' timestamps: ISO 8601, in UTC unless it says otherwise, or milliseconds "
        "since 1970", absent="the client's clock",
    ),
    Setting("--delimiter", "CSV_DELIMITER", _sign, ",", "the character between two cells; `tab` for a tab"),
    Setting("--quote", "CSV_QUOTE", _sign_or_none, '"', "the character around cells; `none`: no character is"),
    Setting(
        "--escape", "CSV_ESCAPE", _sign_or_none, None,
        "the character behind it is only itself, a quote or a line end say; a doubled quote is one all the same",
        absent="none",
    ),
    Setting(
        "--comment", "CSV_COMMENT", _sign_or_none, None, "a line that begins with this character is no row",
        absent="none",
    ),
    Setting("--encoding", "CSV_ENCODING", str, "utf-8", "of the object; JSON is UTF-8 whatever this is", ENCODINGS),
    Setting(
        "--columns", "CSV_COLUMNS", _columns, None,
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
        "--dead-letter-topic", "DEAD_LETTER_TOPIC", _name, None,
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
    Setting("--sasl-username", "KAFKA_SASL_USERNAME", _line, "", "the SCRAM user", absent="none"),
    Setting(
        "--sasl-password-from", "KAFKA_SASL_PASSWORD_FROM", secret_place, "env:KAFKA_SASL_PASSWORD",
        "where that user's password stands: `env:NAME`, `file:PATH` or the ARN of a secret in Secrets Manager, which "
        "may be a JSON object of `username` and `password`", quiet=True,
    ),
    Setting(
        "--tls-ca", "KAFKA_TLS_CA", _line, "", "file of the authorities to trust, in PEM", absent="the system's",
        quiet=True,
    ),
    Setting(
        "--tls-certificate", "KAFKA_TLS_CERTIFICATE", _line, "",
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
