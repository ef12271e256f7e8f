"""Random changes of images: each against torchvision's, drawn alike on any device; labels of mixtures."""

from typing import Any

import pytest
import torch
from torch.testing import assert_close
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as oracle

from mllc.data.augment import augment, is_random
from mllc.data.augment.colour import colour
from mllc.data.augment.mixup import LEAST_SHARE, mixup
from mllc.data.augment.rand_augment import ADJUSTED, GEOMETRIC, OPERATIONS, PLAIN, rand_augment
from mllc.errors import ConfigError

EVERYTHING = {
    "flip": 0.5,
    "crop": 2,
    "brightness": 0.4,
    "contrast": 0.4,
    "saturation": 0.4,
    "hue": 0.1,
    "rand_augment": 2,
    "magnitude": 9,
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def photographs(batch: int = 24, channels: int = 3, height: int = 20, width: int = 28) -> torch.Tensor:
    """Smooth enough that a pixel more or less matters little, uint8."""
    coarse = torch.rand(batch, channels, 5, 7, generator=seeded(9))
    return (torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1) * 255).byte()


def test_half_of_a_batch_is_flipped():
    images = torch.arange(4, dtype=torch.uint8).expand(1000, 3, 2, 4)
    flipped = augment(images, seeded(), flip=0.5)
    turned = (flipped == images.flip(-1)).all((1, 2, 3))
    assert ((flipped == images).all((1, 2, 3)) ^ turned).all()  # each image as a whole
    assert turned.sum().item() == pytest.approx(500, abs=64)  # 4 standard deviations
    assert flipped.dtype == torch.uint8
    assert torch.equal(augment(images, seeded(), flip=1.0), images.flip(-1))


def test_crops_are_shifts_filled_with_zeros():
    images = torch.rand(200, 2, 5, 6) + 0.1
    before = images.clone()
    cropped = augment(images, seeded(), crop=2)
    shifts = set()
    for image, shifted in zip(images, cropped, strict=True):
        padded = torch.nn.functional.pad(image, (2, 2, 2, 2))
        places = [(y, x) for y in range(5) for x in range(5) if torch.equal(padded[:, y : y + 5, x : x + 6], shifted)]
        assert len(places) == 1
        shifts.update(places)
    assert len(shifts) == 25  # all of them occur
    assert torch.equal(images, before)


def test_augmentation_depends_on_the_generator_alone():
    images = torch.rand(64, 1, 8, 8)
    one, again, other = (augment(images, seeded(seed), flip=0.5, crop=1) for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert augment(images, seeded()) is images
    # The draws do not follow the content: other images are moved the same way.
    assert torch.equal(augment(images + 1, seeded(), flip=0.5), augment(images, seeded(), flip=0.5) + 1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_augmentation_is_the_same_on_a_gpu():
    images = torch.rand(64, 3, 8, 8)
    on_gpu = augment(images.cuda(), seeded(), flip=0.5, crop=2).cpu()
    assert torch.equal(on_gpu, augment(images, seeded(), flip=0.5, crop=2))
    images = photographs()
    on_gpu = augment(images.cuda(), seeded(), **EVERYTHING).cpu()
    close = (on_gpu - augment(images, seeded(), **EVERYTHING)).abs() < 0.02
    assert close.float().mean() > 0.99, "a turned pixel on the border of two may fall to either"


@pytest.mark.parametrize(
    "settings",
    [{"flip": 1.5}, {"flip": -0.1}, {"crop": -1}, {"crop": 2}, {"magnitude": 31}, {"contrast": -1.0}, {"hue": 0.6}],
)
def test_augmentation_out_of_range(settings: dict[str, Any]):
    with pytest.raises(ConfigError, match=f"dataset.augment.{next(iter(settings))}="):
        augment(torch.zeros(1, 1, 3, 2), seeded(), **settings)


def test_what_is_random():
    assert not is_random({"flip": 0.0, "crop": 0, "rand_augment": 0, "magnitude": 9, "mixup": 0.0})
    assert all(
        is_random({name: value, "magnitude": 9})
        for name, value in (EVERYTHING | {"mixup": 0.2}).items()
        if name != "magnitude"
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_colours_are_those_of_torchvision(name, channels):
    images = photographs(channels=channels)
    low, high = 0.0, 2.5
    factors = low + (high - low) * torch.rand(len(images), generator=seeded())
    assert factors.min() < 0.3
    assert factors.max() > 2.2
    found = colour(images, seeded(), **{name: 1.5})
    change = getattr(oracle, f"adjust_{name}")
    expected = torch.stack([change(i.float() / 255, f.item()) for i, f in zip(images, factors, strict=True)])
    assert_close(found, expected, rtol=0, atol=1e-5)
    assert torch.equal(found, colour(images.float() / 255, seeded(), **{name: 1.5}))


@pytest.mark.parametrize("channels", [1, 3])
def test_hues_are_those_of_torchvision(channels):
    images = photographs(240, channels=channels)
    images[:8] = images[:8, :1]  # grey
    images[8:40] = images[8:40].float().div(51).round().mul(51).byte()  # with channels that are equal, 0 and 255
    turns = torch.rand(len(images), generator=seeded()) - 0.5
    found = colour(images, seeded(), hue=0.5)
    expected = [oracle.adjust_hue(i.float() / 255, turn.item()) for i, turn in zip(images, turns, strict=True)]
    assert_close(found, torch.stack(expected), rtol=0, atol=1e-5)
    assert_close(found.amax(1), images.amax(1) / 255)


def test_strengths_of_colours_are_ranges():
    white = torch.ones(4000, 1, 1, 1)
    drawn = colour(white * 0.5, seeded(), brightness=0.4).flatten() * 2
    assert drawn.min().item() == pytest.approx(0.6, abs=0.01)
    assert drawn.max().item() == pytest.approx(1.4, abs=0.01)
    assert drawn.mean().item() == pytest.approx(1, abs=0.02)


def drawn_operations(batch):
    """What rand_augment draws first."""
    generator = seeded()
    operations = torch.randint(len(OPERATIONS), (batch,), generator=generator)
    return operations, torch.randint(2, (batch,), generator=generator) * 2 - 1


def one_by_one(image, name, sign, magnitude):
    """torchvision's RandAugment, written out for one image."""
    height, width = image.shape[1:]
    share = sign * magnitude / 30
    if name in ADJUSTED:
        return getattr(oracle, name)(image, 1 + 0.9 * share)
    if name in PLAIN:
        strengths = {"posterize": [8 - round(4 * magnitude / 30)], "solarize": [255 - 255 * magnitude / 30]}
        return getattr(oracle, name)(image, *strengths.get(name, []))
    if name == "rotate":
        return oracle.rotate(image, 30 * share)
    nearest = InterpolationMode.NEAREST
    still = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0], "interpolation": nearest}
    tilted = torch.atan(torch.tensor(0.3 * share)).rad2deg().item()
    changed = {
        "identity": {},
        "shear_x": {"shear": [tilted, 0.0], "center": [0, 0]},
        "shear_y": {"shear": [0.0, tilted], "center": [0, 0]},
        "translate_x": {"translate": [int(150 / 331 * width * share), 0]},
        "translate_y": {"translate": [0, int(150 / 331 * height * share)]},
    }
    return oracle.affine(image, **(still | changed[name]))


@pytest.mark.parametrize("magnitude", [0, 9, 30])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_operation_of_rand_augment_is_torchvisions(channels, magnitude):
    images = photographs(280, channels)
    before = images.clone()
    found = rand_augment(images, seeded(), 1, magnitude)
    assert torch.equal(images, before)
    assert found.dtype == torch.uint8
    operations, signs = drawn_operations(280)
    assert len(operations.unique()) == len(OPERATIONS) == 14
    for image, changed, operation, sign in zip(images, found, operations.tolist(), signs.tolist(), strict=True):
        expected = one_by_one(image, OPERATIONS[operation], sign, magnitude)
        if OPERATIONS[operation] in GEOMETRIC:  # a pixel on the border of two may fall to either
            assert ((changed.int() - expected.int()).abs() <= 1).float().mean() > 0.97, OPERATIONS[operation]
        else:
            assert torch.equal(changed, expected), OPERATIONS[operation]


def test_rand_augment_draws_for_each_image_and_goes_on_from_what_it_made():
    alike = photographs(1).expand(200, -1, -1, -1)
    once, twice = (rand_augment(alike, seeded(), number, 20) for number in (1, 2))
    assert len({image.numpy().tobytes() for image in once}) > 18, "14 operations, nine of them in two directions"
    generator = seeded()
    again = rand_augment(rand_augment(alike, generator, 1, 20), generator, 1, 20)
    assert torch.equal(twice, again)
    floats = rand_augment(alike.float() / 255, seeded(), 1, 20)
    assert torch.equal(floats, once.float() / 255)


def test_all_changes_together_keep_the_range_and_repeat():
    images = photographs()
    found = augment(images, seeded(), **EVERYTHING)
    assert found.dtype == torch.float32
    assert 0 <= found.min() < found.max() <= 1
    assert torch.equal(found, augment(images, seeded(), **EVERYTHING))


def test_mixtures_and_their_labels():
    """One-hot images and labels: what an image holds of each other one is read off its pixels."""
    images = torch.eye(64)[:, :, None, None]
    targets = torch.eye(64, dtype=torch.uint8)
    mixed, labels, mask = mixup(images, targets, None, seeded(), 1.0)
    shares = mixed[:, :, 0, 0]
    assert mask is None
    assert labels.dtype == torch.uint8
    assert_close(shares.sum(1), torch.ones(64))
    assert (shares.diagonal() >= 0.5).all()
    assert torch.equal(labels, (shares >= LEAST_SHARE).to(torch.uint8))
    both = labels.sum(1)
    assert both.max() == 2
    assert 0.3 < (both == 2).float().mean() < 0.7, "Beta(1, 1): half of the smaller shares are above a quarter"
    again = mixup((images * 255).byte(), targets, None, seeded(), 1.0)[0]
    assert_close(again, mixed)


def test_what_is_unknown_in_mixtures():
    images = torch.eye(64)[:, :, None, None]
    targets = torch.randint(2, (64, 30), generator=seeded(1)).to(torch.uint8)
    mask = torch.rand(64, 30, generator=seeded(2)) < 0.6
    mixed, labels, known = mixup(images, targets, mask, seeded(), 0.4)
    shares = mixed[:, :, 0, 0]
    true, unknown = shares @ (targets * mask).float(), shares @ (~mask).float()
    assert torch.equal(labels.bool(), true >= LEAST_SHARE)
    assert torch.equal(known, (true >= LEAST_SHARE) | (true + unknown < LEAST_SHARE))
    assert 0 < known.float().mean() < 1
