"""Contestants have names of their own, settings that the processor takes, and enough rows at every scale."""

from __future__ import annotations

import pytest

from benchmarks.contestants import CLIENTS, CONTESTANTS, YARDSTICK, Variant, contestants
from benchmarks.scale import SCALES
from processor.model import Delivery
from processor.settings import load

PLACE = {
    "CSV_SOURCE": "s3://made/rows.csv",
    "KAFKA_TOPIC": "rows",
    "KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
    "CHECKPOINT_TABLE": "checkpoints",
}
VARIANTS = [one for one in CONTESTANTS if isinstance(one, Variant)]


def test_every_contestant_has_a_name_of_its_own() -> None:
    assert len({one.name for one in CONTESTANTS}) == len(CONTESTANTS)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda one: one.name)
def test_the_processor_takes_the_settings(variant: Variant) -> None:
    settings = load({}, {**PLACE, **variant.environment()})
    assert (settings.client, settings.sink.compression) == (variant.client, variant.compression)
    assert settings.sink.delivery is Delivery(variant.delivery)
    assert settings.limits.interval_rows == variant.interval_rows


@pytest.mark.parametrize("scale", SCALES.values(), ids=lambda scale: scale.name)
def test_every_scale_has_the_bases_and_the_yardstick(scale: object) -> None:
    names = {one.name for one in contestants(scale)}  # type: ignore[arg-type]
    assert {YARDSTICK.name, *(Variant(client).name for client in CLIENTS)} <= names


def test_rows_end_the_batches_of_every_interval() -> None:
    for variant in VARIANTS:
        if variant.width == 100:
            settings = load({}, {**PLACE, **variant.environment()})
            made = variant.made(SCALES["full"])
            assert settings.limits.batch_bytes > 3 * made.width * variant.interval_rows
            assert made.rows > 2 * variant.interval_rows


def test_the_defaults_of_the_base_are_the_defaults_of_the_processor() -> None:
    assert load({}, {**PLACE, **Variant("kafka-python").environment()}) == load({}, PLACE)
