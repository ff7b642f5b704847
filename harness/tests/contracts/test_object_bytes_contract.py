"""`ports.ObjectBytes`: exactly the described bytes, from any byte on, or a clear refusal."""

from __future__ import annotations

import pytest

from harness.tests.contracts.object_worlds import ObjectWorld
from processor.errors import BadSetting, PlaceMissing, SourceChanged, SourceUnavailable
from processor.model import Pins

BODY = bytes(range(256)) * 1_000  # 256,000 bytes: several chunks and several ranged requests
OTHER = b"id,name\n" * 40_000


def read_whole(world: ObjectWorld, pins: Pins | None = None, byte_offset: int = 0) -> bytes:
    """Describe and read with a new view."""
    opened = world.open()
    opened.describe(pins)
    return b"".join(opened.read(byte_offset))


class TestDescribe:
    def test_gives_etag_and_size_and_no_version_in_an_unversioned_bucket(self, object_world: ObjectWorld) -> None:
        object_world.put(BODY)
        pins, size_bytes = object_world.open().describe(None)
        assert pins.etag
        assert pins.version_id is None
        assert size_bytes == len(BODY)

    def test_gives_the_version_in_a_versioned_bucket(self, versioned_world: ObjectWorld) -> None:
        versioned_world.put(BODY)
        first, _ = versioned_world.open().describe(None)
        versioned_world.put(BODY)
        second, _ = versioned_world.open().describe(None)
        assert first.version_id
        assert second.version_id
        assert first.version_id != second.version_id
        assert first.etag == second.etag

    def test_other_bytes_have_another_etag(self, object_world: ObjectWorld) -> None:
        object_world.put(BODY)
        first, _ = object_world.open().describe(None)
        object_world.put(OTHER)
        second, size_bytes = object_world.open().describe(first)
        assert second.etag != first.etag
        assert size_bytes == len(OTHER)

    def test_missing_key_is_a_changed_source(self, object_world: ObjectWorld) -> None:
        with pytest.raises(SourceChanged):
            object_world.open().describe(None)
        with pytest.raises(SourceChanged):
            object_world.open().describe(Pins('"etag"'))

    def test_deleted_object_of_a_versioned_bucket_is_missing(self, versioned_world: ObjectWorld) -> None:
        versioned_world.put(BODY)
        versioned_world.delete()
        with pytest.raises(SourceChanged):
            versioned_world.open().describe(None)

    def test_missing_bucket_is_a_place_missing(self, object_world: ObjectWorld) -> None:
        with pytest.raises(PlaceMissing):
            object_world.without_bucket().describe(None)

    def test_prefix_is_a_bad_setting(self, object_world: ObjectWorld) -> None:
        with pytest.raises(BadSetting):  # in the constructor or when described, either is before anything is sent
            object_world.open_prefix().describe(None)

    def test_store_that_does_not_answer_is_unavailable(self, object_world: ObjectWorld) -> None:
        with pytest.raises(SourceUnavailable):
            object_world.unreachable().describe(None)


class TestRead:
    @pytest.mark.parametrize("byte_offset", [0, 1, 999, 1_000, 65_535, 65_536, 65_537, 255_999])
    def test_yields_what_a_slice_would(self, object_world: ObjectWorld, byte_offset: int) -> None:
        object_world.put(BODY)
        opened = object_world.open()
        opened.describe(None)
        chunks = list(opened.read(byte_offset))
        assert b"".join(chunks) == BODY[byte_offset:]
        assert all(chunks)

    def test_can_be_read_again_and_again(self, object_world: ObjectWorld) -> None:
        object_world.put(BODY)
        opened = object_world.open()
        opened.describe(None)
        abandoned = opened.read(0)
        next(abandoned)
        assert b"".join(opened.read(7)) == BODY[7:]
        assert b"".join(opened.read(7)) == BODY[7:]

    @pytest.mark.parametrize("byte_offset", [len(BODY), len(BODY) + 1, 2 * len(BODY)])
    def test_nothing_at_or_past_the_end(self, object_world: ObjectWorld, byte_offset: int) -> None:
        object_world.put(BODY)
        assert read_whole(object_world, byte_offset=byte_offset) == b""

    def test_empty_object_has_no_bytes(self, object_world: ObjectWorld) -> None:
        object_world.put(b"")
        opened = object_world.open()
        assert opened.describe(None)[1] == 0
        assert list(opened.read(0)) == []

    def test_replaced_object_is_noticed(self, object_world: ObjectWorld) -> None:
        object_world.put(BODY)
        opened = object_world.open()
        opened.describe(None)
        object_world.put(OTHER)
        with pytest.raises(SourceChanged):
            list(opened.read(0))

    def test_object_replaced_by_one_of_the_same_size_is_noticed(self, object_world: ObjectWorld) -> None:
        object_world.put(BODY)
        opened = object_world.open()
        opened.describe(None)
        object_world.put(BODY[::-1])
        with pytest.raises(SourceChanged):
            list(opened.read(0))

    def test_object_replaced_by_a_shorter_one_is_noticed_beyond_its_end(self, object_world: ObjectWorld) -> None:
        object_world.put(BODY)
        opened = object_world.open()
        opened.describe(None)
        object_world.put(b"short")
        with pytest.raises(SourceChanged):
            list(opened.read(100_000))

    def test_object_written_anew_with_the_same_bytes_is_the_same(self, object_world: ObjectWorld) -> None:
        object_world.put(BODY)
        opened = object_world.open()
        opened.describe(None)
        object_world.put(BODY)
        assert b"".join(opened.read(0)) == BODY

    def test_deleted_object_is_noticed(self, object_world: ObjectWorld) -> None:
        object_world.put(BODY)
        opened = object_world.open()
        opened.describe(None)
        object_world.delete()
        with pytest.raises(SourceChanged):
            list(opened.read(0))

    def test_object_replaced_in_the_middle_of_a_read_never_mixes(self, object_world: ObjectWorld) -> None:
        object_world.put(BODY)
        opened = object_world.open()
        opened.describe(None)
        chunks = opened.read(0)
        got = next(chunks)
        object_world.put(OTHER)
        with pytest.raises(SourceChanged):
            for chunk in chunks:
                got += chunk
        assert BODY.startswith(got)

    def test_bytes_before_the_offset_are_not_asked_for(self, object_world: ObjectWorld) -> None:
        object_world.put(BODY)
        opened = object_world.open()
        opened.describe(None)
        before = object_world.bytes_asked
        rest = b"".join(opened.read(200_000))
        assert len(rest) <= object_world.bytes_asked - before <= 2 * len(rest)


class TestVersions:
    def test_pinned_version_is_read_though_a_newer_one_exists(self, versioned_world: ObjectWorld) -> None:
        versioned_world.put(BODY)
        pins, _ = versioned_world.open().describe(None)
        versioned_world.put(OTHER)
        opened = versioned_world.open()
        assert opened.describe(pins) == (pins, len(BODY))
        assert b"".join(opened.read(10)) == BODY[10:]

    def test_pinned_version_is_read_though_the_object_is_deleted(self, versioned_world: ObjectWorld) -> None:
        versioned_world.put(BODY)
        pins, _ = versioned_world.open().describe(None)
        versioned_world.delete()
        assert read_whole(versioned_world, pins) == BODY

    def test_newest_is_described_once_the_pinned_version_is_gone(self, versioned_world: ObjectWorld) -> None:
        versioned_world.put(BODY)
        pins, _ = versioned_world.open().describe(None)
        assert pins.version_id
        versioned_world.put(OTHER)
        versioned_world.delete_version(pins.version_id)
        opened = versioned_world.open()
        found, size_bytes = opened.describe(pins)
        assert found.etag != pins.etag
        assert size_bytes == len(OTHER)
        assert b"".join(opened.read(0)) == OTHER

    def test_version_removed_after_it_was_described_is_noticed(self, versioned_world: ObjectWorld) -> None:
        versioned_world.put(BODY)
        opened = versioned_world.open()
        pins, _ = opened.describe(None)
        assert pins.version_id
        versioned_world.put(OTHER)
        versioned_world.delete_version(pins.version_id)
        with pytest.raises(SourceChanged):
            list(opened.read(0))

    def test_newer_version_after_describe_does_not_disturb(self, versioned_world: ObjectWorld) -> None:
        versioned_world.put(BODY)
        opened = versioned_world.open()
        opened.describe(None)
        versioned_world.put(OTHER)
        assert b"".join(opened.read(0)) == BODY

    def test_pins_without_a_version_take_the_newest(self, versioned_world: ObjectWorld) -> None:
        versioned_world.put(BODY)
        pins, _ = versioned_world.open().describe(None)
        versioned_world.put(OTHER)
        found, _ = versioned_world.open().describe(Pins(pins.etag))
        assert found.etag != pins.etag
