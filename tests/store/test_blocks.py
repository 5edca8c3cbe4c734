"""The blocks of a file: which are whole, and what is proof of damage."""

from __future__ import annotations

import zlib
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.errors import StoreDamaged
from poussetaches.store import blocks, format
from poussetaches.store.blocks import Block, BlockReader, Tail, content_end
from poussetaches.store.format import BLOCK, HEADER_SIZE, MARK, SEALED

SALT = 0x5EED_5A17
PATH = "some/file"

BYTES = st.binary(max_size=200)


def file_of(*bodies: Any, synced: int = 0, tail: bytes = b"") -> bytes:
    """A file with a block of each body, all written in the knowledge of ``synced``."""
    made = [format.block(msgpack.packb(body), SALT, synced) for body in bodies]
    return b"".join([format.header(format.JOURNAL, 1, SALT), *made, tail])


def read(data: bytes) -> tuple[list[Block], Tail]:
    reader = BlockReader(PATH, data, SALT)
    return list(reader), reader.tail


def test_a_block_is_these_bytes() -> None:
    head = b"\xc1\xc1PT" + bytes([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3])
    checksums = b"\x19\x9c\x1d\t" + b"\xdc\xc0\xfb\xa2"
    assert format.block(b"\x01", 2, 3) == head + checksums + b"\x01"


@given(st.lists(BYTES, max_size=5), st.integers(0, 100))
def test_blocks_come_back_with_where_they_stand(
    bodies: list[bytes], zeros: int
) -> None:
    found, tail = read(file_of(*bodies, tail=bytes(zeros)))
    assert [block.body for block in found] == bodies
    offsets = [HEADER_SIZE, *(block.end for block in found)]
    assert [block.offset for block in found] == offsets[:-1]
    assert tail == Tail(offsets[-1], 0)


def test_every_bit_of_a_block_counts() -> None:
    whole = file_of([1, b"two"])
    for bit in range(HEADER_SIZE * 8, len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        found, tail = read(bytes(flipped))
        assert found == []
        assert tail.offset == HEADER_SIZE
        assert tail.torn > 0


def test_a_head_counts_by_itself() -> None:
    """Whatever has become of the body, or if there is none of it."""
    whole = file_of([1, b"two"])
    for length in range(HEADER_SIZE + BLOCK.size, len(whole) + 1):
        head = BlockReader(PATH, whole[:length], SALT).head(HEADER_SIZE)
        assert not isinstance(head, str)
        assert (head.start, head.end) == (HEADER_SIZE + BLOCK.size, len(whole))
    for bit in range(HEADER_SIZE * 8, (HEADER_SIZE + BLOCK.size - 4) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        assert isinstance(BlockReader(PATH, bytes(flipped), SALT).head(24), str)


def test_a_block_of_another_file_is_none() -> None:
    """The salt: what lay there before, or in a payload, does not pass for ours."""
    foreign = format.block(msgpack.packb("foreign"), SALT + 1)
    found, tail = read(file_of("ours", tail=foreign))
    assert [block.body for block in found] == ["ours"]
    assert tail.torn == len(foreign)


def test_a_block_without_a_body_is_none() -> None:
    """Or a row of marks would be a row of blocks."""
    found, tail = read(file_of("ours", tail=format.block(b"", SALT)))
    assert len(found) == 1
    assert tail.torn > 0


def test_a_block_that_is_no_msgpack_is_damage_wherever_it_stands() -> None:
    """It is on disk as it was written, so no crash has torn it."""
    data = file_of("ours", tail=format.block(b"\xc1", SALT))
    with pytest.raises(StoreDamaged, match="cannot be read") as caught:
        read(data)
    assert caught.value.offset == len(data) - BLOCK.size - 1


# --- what is proof of damage --------------------------------------------------------

#: Where the second block of the next tests begins.
SECOND = HEADER_SIZE + BLOCK.size + 6


@pytest.mark.parametrize(
    ("synced", "is_damage"),
    [
        (0, False),
        (HEADER_SIZE, False),
        (HEADER_SIZE + 1, True),
        (SECOND, True),
        (SECOND + 1, False),
        (2**64 - 1, False),
    ],
)
def test_a_block_that_was_on_disk_when_a_later_one_was_written_is_damage(
    synced: int, is_damage: bool
) -> None:
    """And nobody knows what comes after him."""
    data = bytearray(file_of("first", tail=format.block(b"\xc0", SALT, synced)))
    assert data.index(MARK, SECOND) == SECOND
    data[HEADER_SIZE + BLOCK.size] ^= 1
    if is_damage:
        with pytest.raises(StoreDamaged, match="byte 24: the checksum") as caught:
            read(bytes(data))
        assert (caught.value.path, caught.value.offset) == (PATH, HEADER_SIZE)
    else:
        assert read(bytes(data)) == ([], Tail(HEADER_SIZE, len(data) - HEADER_SIZE))


@pytest.mark.parametrize("spoilt", [HEADER_SIZE + 5, HEADER_SIZE + BLOCK.size])
def test_a_head_is_proof_without_its_body(spoilt: int) -> None:
    """It was made after the sync it speaks of. This is a flipped bit in the last block
    but one, and a crash during the last one: the former had been acknowledged."""
    last = format.block(msgpack.packb("last"), SALT, SECOND)
    for length in range(len(last) + 1):
        data = bytearray(file_of("first", tail=last[:length]))
        data[spoilt] ^= 1
        if length < BLOCK.size:
            assert read(bytes(data))[1].offset == HEADER_SIZE
        else:
            with pytest.raises(StoreDamaged, match="byte 24"):
                read(bytes(data))


def test_damage_is_found_behind_any_number_of_marks_and_torn_blocks() -> None:
    made = [format.block(msgpack.packb(n), SALT, 30) for n in range(4)]
    for number in range(3):
        made[number] = made[number][:-1]
    rubbish = MARK * 3 + b"\xc1\xc1P"
    data = format.header(format.JOURNAL, 1, SALT) + b"?" + rubbish.join(made)
    with pytest.raises(StoreDamaged, match="byte 24"):
        read(data)


def test_what_a_block_carries_is_no_proof() -> None:
    """Where its head says how long it is, that is; it needs our salt besides."""
    proof = format.block(b"\xc0", SALT, HEADER_SIZE + 1)
    data = bytearray(file_of(bytes(30) + proof, "another"))
    data[HEADER_SIZE + BLOCK.size + 2] ^= 1
    assert read(bytes(data))[1].offset == HEADER_SIZE
    data[HEADER_SIZE + 5] ^= 1
    with pytest.raises(StoreDamaged, match="byte 24"):
        read(bytes(data))


# --- what a hostile payload may cost ------------------------------------------------

SIZE = 2 * 1024 * 1024


class Reading:
    """Counts what is gone through."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.bytes = 0
        self.calls = 0
        crc32 = zlib.crc32

        def counted(data: bytes, value: int = 0) -> int:
            self.bytes += len(data)
            self.calls += 1
            return crc32(data, value)

        patch.setattr(zlib, "crc32", counted)


def heads(salt: int) -> bytes:
    """As many as fit, each of a block that reaches as far as all of them."""
    found = []
    for at in range(0, SIZE, BLOCK.size):
        sealed = SEALED.pack(SIZE - at, 0)
        found.append(BLOCK.pack(MARK, SIZE - at, 0, zlib.crc32(sealed, salt), 0))
    return b"".join(found)


@pytest.mark.parametrize(
    "payload",
    [
        MARK * (SIZE // len(MARK)),
        (MARK + b"\0\x10\0\0" + bytes(8)) * (SIZE // 16),
        heads(SALT + 1),
        heads(SALT),
    ],
    ids=["marks", "marks and lengths", "heads of another file", "of this file"],
)
@pytest.mark.parametrize("spoilt", [5, 30])
def test_what_is_torn_is_gone_through_once(
    payload: bytes, spoilt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payload full of marks makes no start slow."""
    data = bytearray(file_of(payload))
    data[HEADER_SIZE + spoilt] ^= 1
    reading = Reading(monkeypatch)
    found, tail = read(bytes(data))
    assert (found, tail.offset) == ([], HEADER_SIZE)
    # At each mark its head, and nothing beyond; and the body of the block itself.
    marks = payload.count(MARK)
    assert reading.calls <= marks + 3
    assert reading.bytes <= 12 * (marks + 3) + len(data)


# --- the end ------------------------------------------------------------------------


@given(BYTES, st.integers(0, 400), st.integers(1, 70))
def test_the_zeros_at_the_end_are_found_in_pieces(
    content: bytes, zeros: int, piece: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "PIECE", piece)
        data = content + bytes(zeros)
        for offset in range(0, len(data) + 1, 7):
            expected = max(offset, len(data.rstrip(b"\0")))
            assert content_end(data, offset) == expected
