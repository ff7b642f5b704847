"""Flag over variable over default; a bad value is refused with its name; what is derived never changes."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processor.errors import BadSetting
from processor.setting_values import NAME
from processor.settings import SETTINGS, Setting, Settings, add_flags, derive_job_id, load, readme_table
from processor.source_url import parse_url

REQUIRED = {
    "CSV_SOURCE": "s3://bucket/in/rows.csv",
    "KAFKA_TOPIC": "rows",
    "KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
    "CHECKPOINT_TABLE": "checkpoints",
}
BY_FLAG = {setting.flag: setting for setting in SETTINGS}

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:AmazonMSK_job-AbCdEf"
# Two good values each, as text and as they arrive, and where they arrive.
GOOD: dict[str, tuple[tuple[str, Any], tuple[str, Any], Callable[[Settings], Any]]] = {
    "--source": (("s3://b/x.csv",) * 2, ("s3://b/y.csv",) * 2, lambda s: s.source),
    "--topic": (("a.b_c-D9",) * 2, ("other",) * 2, lambda s: s.sink.topic),
    "--partition": (("0", 0), ("12", 12), lambda s: s.sink.partition),
    "--bootstrap-servers": (("a:1, [::1]:2", "a:1,[::1]:2"), ("b:9092",) * 2, lambda s: s.sink.bootstrap_servers),
    "--checkpoint-table": (("table",) * 2, ("table-2",) * 2, lambda s: s.checkpoint_table),
    "--job-id": (("job",) * 2, ("job.2",) * 2, lambda s: s.job_id),
    "--delivery": (("at-least-once",) * 2, ("exactly-once",) * 2, lambda s: s.sink.delivery),
    "--client": (("confluent",) * 2, ("kafka-python",) * 2, lambda s: s.client),
    "--compression": (("zstd",) * 2, ("none",) * 2, lambda s: s.sink.compression),
    "--checkpoint-interval": (("1", 1), ("500", 500), lambda s: s.limits.interval_rows),
    "--batch-bytes": (("1", 1), ("1048576", 2**20), lambda s: s.limits.batch_bytes),
    "--commit-interval-s": (("0.5", 0.5), ("3600", 3600.0), lambda s: s.limits.interval_s),
    "--max-row-bytes": (("1000", 1000), (str(2**30), 2**30), lambda s: s.limits.max_row_bytes),
    "--max-rows-per-s": (("500", 500), ("20000", 20_000), lambda s: s.rows_per_s),
    "--max-bytes-per-s": (("5000000", 5_000_000), ("1", 1), lambda s: s.bytes_per_s),
    "--transaction-timeout-ms": (("30000", 30_000), ("900000", 900_000), lambda s: s.sink.transaction_timeout_ms),
    "--format": (("raw",) * 2, ("json",) * 2, lambda s: s.value_format),
    "--key": (("id", ("id",)), ('name,"a ""b"", c"', ("name", 'a "b", c')), lambda s: s.sink.parts.key),
    "--record-headers": (("position", True), ("none", False), lambda s: s.sink.parts.position),
    "--timestamp": (("at",) * 2, ("a, b",) * 2, lambda s: s.sink.parts.timestamp),
    "--delimiter": (("tab", "\t"), (";", ";"), lambda s: s.dialect.delimiter),
    "--quote": (("none", None), ("'", "'"), lambda s: s.dialect.quote),
    "--escape": (("\\", "\\"), ("!", "!"), lambda s: s.dialect.escape),
    "--comment": (("#",) * 2, ("none", None), lambda s: s.dialect.comment),
    "--encoding": (("cp1252",) * 2, ("latin-1",) * 2, lambda s: s.dialect.encoding),
    "--columns": (("a,b", ("a", "b")), ("numbered", ()), lambda s: s.dialect.columns),
    "--on-bad-row": (("skip",) * 2, ("fail",) * 2, lambda s: s.bad_rows),
    "--dead-letter-topic": (("bad-1",) * 2, ("bad-2",) * 2, lambda s: s.sink.dead_letter_topic),
    "--security-protocol": (("SSL",) * 2, ("SASL_SSL",) * 2, lambda s: s.sink.security.protocol),
    "--sasl-mechanism": (("SCRAM-SHA-256",) * 2, ("AWS_MSK_IAM",) * 2, lambda s: s.sink.security.mechanism),
    "--sasl-username": (("job",) * 2, ("other job",) * 2, lambda s: s.sink.security.username),
    "--sasl-password-from": (("file:/a b",) * 2, ("env:B_1",) * 2, lambda s: s.secret_places["password"]),
    "--tls-ca": (("/a.pem",) * 2, ("b",) * 2, lambda s: s.sink.security.ca_file),
    "--tls-certificate": (("/a.pem",) * 2, ("b",) * 2, lambda s: s.sink.security.certificate_file),
    "--tls-key-from": ((ARN,) * 2, ("env:B",) * 2, lambda s: s.secret_places["key"]),
    "--tls-key-password-from": (("file:a",) * 2, ("env:B",) * 2, lambda s: s.secret_places["key_password"]),
    "--metrics": (("emf",) * 2, ("none",) * 2, lambda s: s.metrics),
    "--log-level": (("debug",) * 2, ("warning",) * 2, lambda s: s.log_level),
    "--spot-notice": (("imds",) * 2, ("off",) * 2, lambda s: s.spot_notice),
}
# What these say has no effect unless the connection is secured.
SECURED = {"--sasl-username", "--tls-ca", "--tls-certificate"}
DEFAULTS = {
    "--partition": 0,
    "--job-id": "rows.csv-f308346f",
    "--delivery": "exactly-once",
    "--client": "kafka-python",
    "--compression": "gzip",
    "--checkpoint-interval": 10_000,
    "--batch-bytes": 16 * 2**20,
    "--commit-interval-s": 5.0,
    "--max-row-bytes": 16 * 2**20,
    "--max-rows-per-s": math.inf,
    "--max-bytes-per-s": math.inf,
    "--transaction-timeout-ms": 60_000,
    "--format": "json",
    "--key": (),
    "--record-headers": False,
    "--timestamp": "",
    "--delimiter": ",",
    "--quote": '"',
    "--escape": None,
    "--comment": None,
    "--encoding": "utf-8",
    "--columns": None,
    "--on-bad-row": "fail",
    "--dead-letter-topic": "",
    "--security-protocol": "PLAINTEXT",
    "--sasl-mechanism": "SCRAM-SHA-512",
    "--sasl-username": "",
    "--sasl-password-from": "env:KAFKA_SASL_PASSWORD",
    "--tls-ca": "",
    "--tls-certificate": "",
    "--tls-key-from": "env:KAFKA_TLS_KEY",
    "--tls-key-password-from": "env:KAFKA_TLS_KEY_PASSWORD",
    "--metrics": "none",
    "--log-level": "info",
    "--spot-notice": "off",
}


def loaded(flags: dict[str, str] | None = None, environment: dict[str, str] | None = None) -> Settings:
    """Load with every required variable set, unless given otherwise."""
    named = {BY_FLAG[flag].name: text for flag, text in (flags or {}).items()}
    given = {*(flags or {}), *(flag for flag in BY_FLAG if BY_FLAG[flag].variable in (environment or {}))}
    needed = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"} if given & SECURED else {}
    texts = (*(flags or {}).items(), *(environment or {}).items())
    if any(text and name in ("--dead-letter-topic", "DEAD_LETTER_TOPIC") for name, text in texts):
        needed |= {"ON_BAD_ROW": "dead-letter"}
    elif ("--on-bad-row", "dead-letter") in texts:
        needed |= {"DEAD_LETTER_TOPIC": "bad"}
    return load(named, {**REQUIRED, **needed, **(environment or {})})


def test_topic_for_bad_rows_is_needed_by_dead_letter_alone_and_is_another_than_that_of_the_rows() -> None:
    topic = {"DEAD_LETTER_TOPIC": "bad"}
    assert load({}, {**REQUIRED, **topic}).sink.dead_letter_topic == ""
    assert load({}, {**REQUIRED, **topic, "ON_BAD_ROW": "skip"}).sink.dead_letter_topic == ""
    with pytest.raises(BadSetting, match="--dead-letter-topic is missing"):
        load({}, {**REQUIRED, "ON_BAD_ROW": "dead-letter"})
    same = {"ON_BAD_ROW": "dead-letter", "DEAD_LETTER_TOPIC": REQUIRED["KAFKA_TOPIC"]}
    with pytest.raises(BadSetting, match="is the topic of the rows"):
        load({}, {**REQUIRED, **same})


def test_policy_for_bad_rows_is_no_part_of_the_shape() -> None:
    policies = [{}, {"ON_BAD_ROW": "skip"}, {"ON_BAD_ROW": "dead-letter", "DEAD_LETTER_TOPIC": "bad"}]
    assert len({load({}, {**REQUIRED, **policy}).shape for policy in policies}) == 1


def test_every_setting_is_in_these_tests() -> None:
    assert set(GOOD) == set(BY_FLAG)
    assert set(DEFAULTS) == {flag for flag, setting in BY_FLAG.items() if setting.variable not in REQUIRED}


@pytest.mark.parametrize("flag", GOOD)
def test_flag_wins_over_variable(flag: str) -> None:
    (text, value), (other, other_value), get = GOOD[flag]
    variable = BY_FLAG[flag].variable
    assert get(loaded({flag: text})) == value
    assert get(loaded({}, {variable: other})) == other_value
    assert get(loaded({flag: text}, {variable: other})) == value
    assert get(loaded({flag: other}, {variable: text})) == other_value


@pytest.mark.parametrize("flag", DEFAULTS)
def test_setting_that_is_not_given_has_its_default_and_an_empty_variable_gives_nothing(flag: str) -> None:
    get = GOOD[flag][2]
    assert get(loaded()) == get(loaded({}, {BY_FLAG[flag].variable: ""})) == DEFAULTS[flag]


@pytest.mark.parametrize("variable", REQUIRED)
def test_required_setting_that_is_missing_or_empty_is_named_by_flag_and_variable(variable: str) -> None:
    flag = next(setting.flag for setting in SETTINGS if setting.variable == variable)
    others = {name: text for name, text in REQUIRED.items() if name != variable}
    for environment in (others, {**others, variable: ""}):
        with pytest.raises(BadSetting) as refused:
            load({}, environment)
        assert flag in refused.value.what
        assert variable in refused.value.hint


BAD = {
    "--source": ("rows.csv", "http://b/k", "s3://bucket", "s3://bucket/", "s3:///key", "s3://b/folder/", "s3://[b/k"),
    "--topic": ("a b", "a/b", "é", "rows\n", "x" * 250),
    "--partition": ("-1", "x", "1.5"),
    "--bootstrap-servers": ("b", "b:", ":1", "b:x", "b:-1", "a:1,", "a:1,,b:2", "b:0", "b:65536"),
    "--checkpoint-table": (" ", "a table"),
    "--job-id": ("a b", "a/b", "x" * 201, "job\n"),
    "--delivery": ("at-most-once", "Exactly-Once"),
    "--client": ("librdkafka",),
    "--compression": ("lzma", "GZIP"),
    "--checkpoint-interval": ("0", "-1", "ten", "1e4", "1.0"),
    "--batch-bytes": ("0", "16MiB"),
    "--commit-interval-s": ("0", "-1", "nan", "inf", "3601", "5s"),
    "--max-row-bytes": ("0", str(2**30 + 1), "x"),
    "--max-rows-per-s": ("0", "fast", "0.5"),
    "--max-bytes-per-s": ("0", "5MB"),
    "--transaction-timeout-ms": ("0", "-5", "1m"),
    "--format": ("csv", "JSON"),
    "--key": ("a,a", "a,,b", ",", 'a,"b', 'a,"b"c', "a\nb"),
    "--record-headers": ("row", "Position", "true"),
    "--timestamp": (),
    "--delimiter": ("ab", "é", "\n", "\0", "none", '"'),
    "--quote": ("''", "\r", ","),
    "--escape": ("\\\\", '"', ","),
    "--comment": ("//", ",", '"'),
    "--encoding": ("utf-16", "UTF-8", "ascii"),
    "--columns": ("a,,b", "a,a", ","),
    "--on-bad-row": ("ignore", "SKIP"),
    "--security-protocol": ("TLS", "ssl"),
    "--sasl-mechanism": ("PLAIN", "scram-sha-512"),
    "--sasl-username": ("a\nb",),
    "--sasl-password-from": ("hunter2", "env:", "env:A-B", "file:", "arn:aws:s3:::bucket", " env:A"),
    "--tls-ca": ("-----BEGIN CERTIFICATE-----\n",),
    "--tls-certificate": ("-----BEGIN CERTIFICATE-----\n",),
    "--tls-key-from": ("-----BEGIN PRIVATE KEY-----\n", "/etc/key.pem"),
    "--tls-key-password-from": ("hunter2",),
}


@pytest.mark.parametrize(("flag", "text"), [(flag, text) for flag, texts in BAD.items() for text in texts])
def test_bad_value_is_refused_with_the_flag_or_variable_that_gave_it(flag: str, text: str) -> None:
    variable = BY_FLAG[flag].variable
    for flags, environment in (({flag: text}, {}), ({}, {variable: text})):
        with pytest.raises(BadSetting) as refused:
            loaded(flags, environment)
        assert flag in str(refused.value) or variable in str(refused.value)
        assert refused.value.exit_code == 2


@pytest.mark.parametrize("flag", GOOD)
def test_empty_flag_is_a_bad_value_and_not_the_variable_or_the_default(flag: str) -> None:
    with pytest.raises(BadSetting):
        loaded({flag: ""})


@pytest.mark.parametrize("setting", [setting for setting in SETTINGS if setting.choices], ids=lambda s: s.flag)
def test_every_choice_is_taken_and_a_refusal_lists_them(setting: Setting) -> None:
    for choice in setting.choices:
        loaded({setting.flag: choice})
    with pytest.raises(BadSetting) as refused:
        loaded({setting.flag: "no such choice"})
    assert all(choice in refused.value.what for choice in setting.choices)


def test_flags_reach_load_through_argparse() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    given = vars(parser.parse_args(["--source", "s3://b/x.csv", "--checkpoint-interval=7"]))
    settings = load(given, REQUIRED)
    assert (settings.source, settings.limits.interval_rows) == ("s3://b/x.csv", 7)
    help_text = parser.format_help()
    assert all(setting.flag in help_text and f"${setting.variable}" in help_text for setting in SETTINGS)


@pytest.mark.parametrize("timeout_ms", ["1", "2", "60000"])
def test_delivery_timeout_is_above_zero_and_below_the_transactions(timeout_ms: str) -> None:
    try:
        sink = loaded({"--transaction-timeout-ms": timeout_ms}).sink
    except BadSetting:
        return
    assert 0 < sink.delivery_timeout_ms < sink.transaction_timeout_ms


@pytest.mark.parametrize(
    ("source", "topic", "partition", "job_id"),
    [
        ("s3://bucket/in/rows.csv", "rows", 0, "rows.csv-f308346f"),
        ("s3://bucket/in/rows.csv", "rows", 1, "rows.csv-f03b7b91"),
        ("s3://bucket/in/rows.csv", "rows2", 0, "rows.csv-7a3764e6"),
        ("s3://bucket/out/rows.csv", "rows", 0, "rows.csv-75b2ec5c"),
        ("s3://bucket2/in/rows.csv", "rows", 0, "rows.csv-e1e4bd12"),
        ("s3://bucket/Größe 1?.csv", "rows", 0, "Gr__e_1_.csv-42e6103f"),
    ],
)
def test_derived_job_id_is_the_same_for_ever(source: str, topic: str, partition: int, job_id: str) -> None:
    assert derive_job_id(source, topic, partition) == job_id


def test_job_id_differs_by_bucket_key_topic_and_partition_and_by_where_one_ends() -> None:
    places = [("b", "k"), ("b", "ak"), ("b2", "k"), ("b", "a/k"), ("b", "a//k")]
    ids = {derive_job_id(f"s3://{b}/{k}", topic, n) for b, k in places for topic in ("t", "t1") for n in (0, 1, 10)}
    assert len(ids) == 5 * 2 * 3


@example("x" * 1_024)
@given(st.text(min_size=1).filter(lambda key: not key.endswith("/")))
def test_derived_job_id_of_any_key_is_one_that_could_be_given(key: str) -> None:
    assert NAME.fullmatch(derive_job_id(f"s3://bucket/{key}", "t" * 249, 2**31))


def test_group_and_transactional_id_carry_the_job_id() -> None:
    assert loaded().sink.transactional_id == "csv-to-kafka.rows.csv-f308346f"
    assert loaded({"--job-id": "nightly"}).sink.transactional_id == "csv-to-kafka.nightly"


@pytest.mark.parametrize(
    ("value_format", "delivery", "shape"),
    [
        ("json", "exactly-once", "3b3a0f691abfd194"),
        ("json", "at-least-once", "2c1abfebba8e21a5"),
        ("raw", "exactly-once", "bcc098e8f08f329a"),
        ("raw", "at-least-once", "a86cb9e861771897"),
    ],
)
def test_shape_is_the_same_for_ever(value_format: str, delivery: str, shape: str) -> None:
    assert loaded({"--format": value_format, "--delivery": delivery}).shape == shape


@pytest.mark.parametrize("flag", GOOD)
def test_shape_changes_with_what_shapes_records_and_with_nothing_else(flag: str) -> None:
    parts = ("--key", "--record-headers", "--timestamp")
    dialect = ("--delimiter", "--quote", "--escape", "--comment", "--encoding", "--columns")
    one, two = loaded({flag: GOOD[flag][0][0]}), loaded({flag: GOOD[flag][1][0]})
    assert (one.shape != two.shape) == (flag in ("--format", "--delivery", *dialect, *parts))


@pytest.mark.parametrize(
    ("flags", "shape"),
    [
        ({"--record-headers": "none"}, "3b3a0f691abfd194"),  # as without it
        ({"--key": "id"}, "f9b8363b85fe9f47"),
        ({"--key": "id,name"}, "06acd0990cab5b06"),
        ({"--record-headers": "position"}, "c3b4d92cb6bdf159"),
        ({"--timestamp": "at"}, "5d6531fca89fad53"),
    ],
)
def test_shape_of_a_job_with_a_key_headers_or_a_timestamp_is_the_same_for_ever(
    flags: dict[str, str], shape: str
) -> None:
    assert loaded(flags).shape == shape


def test_shape_tells_which_column_is_the_key_and_in_which_order_and_which_the_timestamp() -> None:
    given = (
        {"--key": "a"},
        {"--key": "b"},
        {"--key": "a,b"},
        {"--key": "b,a"},
        {"--key": '"a,b"'},
        {"--timestamp": "a"},
    )
    assert len({loaded(flags).shape for flags in given}) == len(given)


def test_a_format_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(BadSetting, match="it is not one of json, raw"):
        loaded({"--format": "protobuf"})


@pytest.mark.parametrize("same", [{"--delimiter": ";", "--comment": ";"}, {"--quote": "'", "--escape": "'"}])
def test_two_signs_of_a_dialect_that_are_the_same_are_refused(same: dict[str, str]) -> None:
    with pytest.raises(BadSetting, match="two of --delimiter, --quote, --escape and --comment are the same"):
        loaded(same)


def test_readme_table_has_one_whole_line_for_each_setting() -> None:
    lines = readme_table().splitlines()[2:]
    assert len(lines) == len(SETTINGS)
    for setting, line in zip(SETTINGS, lines, strict=True):
        assert line.startswith(f"| `{setting.flag}` | `{setting.variable}` | ")
        assert line.count(" | ") == 3
    for flag in DEFAULTS:
        setting = BY_FLAG[flag]
        default = setting.absent or f"`{setting.default}`"
        assert f"| `{flag}` | `{setting.variable}` | {default} |" in readme_table()


KEYS = (
    "a?b=c&d.csv",
    "a#b.csv",
    "a b+c.csv",
    "100%25.csv",
    "é/中/😀.csv",
    "/a//b",
    "a;b,c[d]@e:f",
    "s3://b/k",
    " ",
    ".",
)


@pytest.mark.parametrize("key", KEYS)
def test_key_is_parsed_whole_whatever_it_holds(key: str) -> None:
    assert parse_url(f"s3://bucket/{key}") == ("bucket", key)


@given(st.text(min_size=1).filter(lambda key: not key.endswith("/")))
def test_any_key_is_parsed_whole(key: str) -> None:
    assert parse_url(f"s3://my-bucket.1/{key}") == ("my-bucket.1", key)


@pytest.mark.parametrize("url", [*BAD["--source"], "", "s3", "s3:bucket/key", " s3://b/k", "s3://b/k/", "s3://b?x/k"])
def test_anything_but_an_object_is_a_bad_setting(url: str) -> None:
    with pytest.raises(BadSetting):
        parse_url(url)


@given(st.text())
def test_no_text_makes_the_url_raise_anything_else(text: str) -> None:
    for url in (text, f"s3://{text}", f"s3://{text}/key"):
        try:
            bucket, key = parse_url(url)
        except BadSetting:
            continue
        assert f"s3://{bucket}/{key}" == url
