"""Noise of members: what a seed has drawn once it draws for ever, or the version says so."""

import hashlib

import numpy as np
import torch

from emulator.sampling.noise import STREAM_VERSION, MemberNoise, member_key

FROZEN = [0.52687311, -0.31178507, -0.75291169, -0.74733698]
FIELDS = [np.arange(4.0).reshape(2, 2), np.ones((3, 2, 2))]


def test_a_key_is_the_first_128_bits_of_a_hash():
    text = b"3:5:7" + b"".join(field.astype("<f4").tobytes() for field in FIELDS)
    expected = int.from_bytes(hashlib.sha256(text).digest()[:16], "little")
    assert member_key(FIELDS, 3, 5, 7) == expected < 2**128


def test_the_noise_of_this_version_is_what_it_was():
    assert STREAM_VERSION == 3
    drawn = MemberNoise([member_key(FIELDS, 3, 5, 7)], (1, 2, 2), torch.device("cpu"))()
    np.testing.assert_allclose(drawn.flatten(), FROZEN, atol=1e-6)


def test_rows_are_streams_of_their_own_that_go_on():
    noise = MemberNoise([1, 2], (2, 3), torch.device("cpu"))
    first, second = noise(), noise()
    for row, key in enumerate((1, 2)):
        stream = np.random.Generator(np.random.Philox(key=key))
        whole = stream.standard_normal(12, dtype=np.float32).reshape(2, 2, 3)
        np.testing.assert_array_equal(first[row], whole[0])
        np.testing.assert_array_equal(second[row], whole[1])
