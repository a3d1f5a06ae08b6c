"""Small damages to a file's bytes, the same for every format, each drawn from a `random.Random` that the caller seeds.

For fuzzing: `mutate` applies a few of them; what knows a format (`benchmarks.fuzz_photos` for pictures) says where its
numbers stand and repairs its check sums. They live here and not in the tests because the tests run a short part of what
a benchmark runs at length, and `python -m pytest` in the project's root finds both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

_MOST_FLIPS = 8
_NUM_DAMAGES = (1, 1, 1, 2, 4)  # one at a time gets deepest into a decoder
_LONGEST_SLICE = 512


@dataclass(frozen=True)
class Field:
    """Where a number stands in a file.

    Args:
        offset: of its first byte.
        size: in bytes.
        order: of its bytes.
    """

    offset: int
    size: int
    order: Literal["big", "little"] = "little"


def mutate(data: bytes, random: Random, *, donors: Sequence[bytes] = (), fields: Sequence[Field] = ()) -> bytes:
    """Damage a file in one to four ways.

    Args:
        data: a good file.
        random: what decides; the same state gives the same damage.
        donors: other files, to splice pieces of.
        fields: where numbers stand that are worth an extreme value.

    Returns:
        The damaged file, possibly empty, and possibly as good as before.

    Example:
        >>> mutate(b"0123456789", Random(0)) == mutate(b"0123456789", Random(0))
        True
    """
    # Extreme numbers first: after a splice, the fields lie elsewhere.
    if fields and random.random() < 0.6:
        for field in random.sample(fields, min(len(fields), random.randint(1, 2))):
            data = set_extreme(data, random, field)
        if random.random() < 0.7:
            return data
    for _ in range(random.choice(_NUM_DAMAGES)):
        damage = random.choice((flip_bits, truncate, drop_slice, repeat_slice, overwrite_slice, set_anywhere, None))
        data = damage(data, random) if damage else splice(data, random, donors)
    return data


def flip_bits(data: bytes, random: Random) -> bytes:
    """Flip one to eight bits."""
    damaged = bytearray(data)
    for _ in range(random.randint(1, _MOST_FLIPS) if data else 0):
        damaged[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def truncate(data: bytes, random: Random) -> bytes:
    """Keep only a first part; half the time, zeros fill the rest, as a broken download leaves it."""
    length = random.randint(0, len(data))
    return data[:length] + bytes(len(data) - length if random.random() < 0.5 else 0)


def drop_slice(data: bytes, random: Random) -> bytes:
    """Leave some bytes out."""
    start, stop = _slice(data, random)
    return data[:start] + data[stop:]


def repeat_slice(data: bytes, random: Random) -> bytes:
    """Say some bytes twice, or some twenty times."""
    start, stop = _slice(data, random)
    return data[:stop] + data[start:stop] * random.choice((1, 1, 20)) + data[stop:]


def overwrite_slice(data: bytes, random: Random) -> bytes:
    """Put noise, zeros or ones over some bytes."""
    start, stop = _slice(data, random)
    length = stop - start
    return data[:start] + random.choice((random.randbytes(length), bytes(length), b"\xff" * length)) + data[stop:]


def splice(data: bytes, random: Random, donors: Sequence[bytes]) -> bytes:
    """Put a piece of another file, or of this one, in some place."""
    donor = random.choice([*donors, data])
    start, stop = _slice(donor, random)
    place = random.randint(0, len(data))
    after = data[place:] if random.random() < 0.5 else data[place + stop - start :]
    return data[:place] + donor[start:stop] + after


def set_anywhere(data: bytes, random: Random) -> bytes:
    """Set an extreme number somewhere, more often near the start, where headers are."""
    reach = min(len(data), random.choice((64, 512, len(data))))
    order: Literal["big", "little"] = "big" if random.random() < 0.5 else "little"
    return set_extreme(data, random, Field(random.randrange(max(1, reach)), random.choice((1, 2, 4)), order))


def set_extreme(data: bytes, random: Random, field: Field) -> bytes:
    """Set a number to zero, one, the largest of its size, a power of two, one near to what it was, or any."""
    place = slice(field.offset, field.offset + field.size)
    old = int.from_bytes(data[place], field.order)
    most = 256**field.size - 1
    near = (old - 1, old + 1, old * 2, old // 2, old + 256)
    power = 1 << random.randrange(8 * field.size)
    new = random.choice((0, 1, most, most // 2, power, power - 1, random.randint(0, most), *near)) & most
    return data[: place.start] + new.to_bytes(field.size, field.order) + data[place.stop :]


def _slice(data: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + random.randint(1, random.choice((8, _LONGEST_SLICE))))
