"""Masks thinner than a pixel of the smaller image: a line stays one, and an object beside it as exact as alone."""

from __future__ import annotations

import math

import pytest

from picsellia_async import Frame, MaskPredictionFormat

np = pytest.importorskip("numpy")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("faster_coco_eval")

WIDTH, HEIGHT = 1000, 750


def crack(seed, thickness, gap=None):
    """Return a winding line from the left to the right, without the columns of a gap."""
    random = np.random.default_rng(seed)
    points = [[x, 375 + 60 * math.sin(x / 90 + seed) + random.uniform(-8, 8)] for x in range(20, 981, 12)]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.polylines(mask, [np.round(points).astype(np.int32)], False, 1, thickness)
    if gap:
        mask[:, slice(*gap)] = 0
    return mask


def smaller(mask, side):
    """Return the mask as a frame of at most so many pixels a side has it."""
    prediction = MaskPredictionFormat.from_binary_masks([mask], [0], [0.5])
    frame = Frame.from_array(np.zeros((HEIGHT, WIDTH), np.uint8), prediction=prediction, latency=0.02, max_side=side)
    return frame.prediction.to_binary_masks((frame.width, frame.height))[0]


def pieces(mask):
    return cv2.connectedComponents(mask, connectivity=8)[0] - 1


@pytest.mark.parametrize("side", [900, 640, 500, 333, 160, 47])
@pytest.mark.parametrize("thickness", [1, 2, 3, 4])
def test_a_crack_stays_one_line(thickness, side):
    """From the left to the right, and no thicker than the pixels that it touches."""
    for seed in range(3):
        mask = crack(seed, thickness)
        found = smaller(mask, side)
        assert pieces(mask) == pieces(found) == 1
        columns = found.any(axis=0).nonzero()[0] / found.shape[1] * WIDTH
        assert (columns[0], columns[-1]) == pytest.approx((20, 980), abs=2 * WIDTH / side)
        touched = cv2.resize(mask.astype(np.float32), found.shape[::-1], interpolation=cv2.INTER_AREA) > 0
        assert touched[found == 1].all()


@pytest.mark.parametrize("side", [640, 333, 160])
def test_what_is_not_connected_is_not_joined_and_what_is_beside_an_object_does_not_vanish(side):
    """Two halves of a crack and an ellipse are three pieces; the ellipse is the same pixels as alone."""
    ellipse = cv2.ellipse(np.zeros((HEIGHT, WIDTH), np.uint8), (500, 600), (90, 60), 20, 0, 360, 1, -1)
    mask = ellipse | crack(0, 1, gap=(450, 550))
    found = smaller(mask, side)
    assert pieces(mask) == pieces(found) == 3
    lower = found.shape[0] * 500 // HEIGHT
    assert (found[lower:] == smaller(ellipse, side)[lower:]).all()


def test_a_thin_part_of_an_object_does_not_thicken_the_object():
    """An ellipse with a tail of one pixel: its edge grows where the tail is, and hardly elsewhere."""
    ellipse = cv2.ellipse(np.zeros((HEIGHT, WIDTH), np.uint8), (500, 375), (200, 120), 20, 0, 360, 1, -1)
    mask = ellipse.copy()
    mask[375, 500:980] = 1
    found, alone = smaller(mask, 333), smaller(ellipse, 333)
    assert pieces(found) == 1
    assert found[375 * 250 // HEIGHT, 500 * 333 // WIDTH : 980 * 333 // WIDTH].all()
    body = np.s_[:, : 680 * 333 // WIDTH]
    assert alone[body].sum() <= found[body].sum() < alone[body].sum() * 1.01


def test_specks_beside_an_object_do_not_grow():
    """Noise of single pixels covers no pixel by half, and is left out beside an object, as it was."""
    mask = cv2.ellipse(np.zeros((HEIGHT, WIDTH), np.uint8), (500, 375), (200, 120), 20, 0, 360, 1, -1)
    alone = smaller(mask, 333)
    mask[20:80:10, 20:80:10] = 1
    assert (smaller(mask, 333) == alone).all()
