"""The ids that frames get of themselves: what `uuid.uuid4` would give."""

from __future__ import annotations

import pickle
import uuid

from ..support.frames import make_frame


def test_a_frame_has_an_id_that_the_standard_library_could_have_given():
    """Version 4 and variant of RFC 4122, random elsewhere, and the same after text, pickle and comparison."""
    found = [make_frame().id for _ in range(400)]
    assert len(set(found)) == 400
    for one in found:
        assert type(one) is uuid.UUID
        assert (one.version, one.variant, one.is_safe) == (4, uuid.RFC_4122, uuid.SafeUUID.unknown)
        assert uuid.UUID(str(one)) == one == pickle.loads(pickle.dumps(one))
    ones = zeros = 0
    for one in found:
        ones, zeros = ones | one.int, zeros | ~one.int
    assert (ones & zeros).bit_count() >= 122  # no other bit stands still
