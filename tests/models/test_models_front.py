"""What happens to rows before the trained part sees them: the same in training and in prediction."""

import pytest
import torch
from torch import nn

from mllc.models.front import Front

IMAGES = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_pixels_become_floats_and_are_normalised_by_channel():
    mean, std = (0.1, 0.2, 0.3), (0.5, 1.0, 2.0)
    found = Front(nn.Sequential(), mean, std)(IMAGES)
    for channel in range(3):
        torch.testing.assert_close(found[:, channel], (IMAGES[:, channel].float() / 255 - mean[channel]) / std[channel])
    assert torch.equal(found, Front(nn.Sequential(), mean, std)(IMAGES.float() / 255))


def test_grey_images_are_normalised_for_a_colour_network():
    grey, mean, std = IMAGES[:, :1], (0.1, 0.2, 0.3), (0.5, 1.0, 2.0)
    found = Front(nn.Sequential(), mean, std)(grey)
    torch.testing.assert_close(found, Front(nn.Sequential(), mean, std)(grey.expand(-1, 3, -1, -1)))


def test_feature_vectors_pass_as_they_are():
    rows = torch.rand(3, 7)
    assert torch.equal(Front(nn.Sequential(), (0.1,), (0.5,))(rows), rows)


@pytest.mark.parametrize("channels_last", [True, False])
def test_the_frozen_stages_follow_in_the_asked_layout(channels_last):
    stages = nn.Sequential(nn.Conv2d(3, 4, 3)).eval().requires_grad_(False)
    front = Front(stages, channels_last=channels_last)
    found = front(IMAGES)
    torch.testing.assert_close(found, stages(IMAGES.float() / 255))
    assert found.is_contiguous(memory_format=torch.channels_last) == channels_last
    assert front.is_frozen
    assert not Front(nn.Sequential()).is_frozen


def test_features_are_float32_under_autocast():
    front = Front(nn.Sequential(nn.Flatten(), nn.Linear(192, 5)).requires_grad_(False), amp=torch.bfloat16)
    found = front(IMAGES)
    assert found.dtype == torch.float32
    assert torch.equal(found, found.bfloat16().float()), "computed in bfloat16"


def test_the_state_dict_is_that_of_the_stages():
    assert list(Front(nn.Sequential(nn.Linear(2, 3)), (0.5,), (0.5,)).state_dict()) == [
        "stages.0.weight",
        "stages.0.bias",
    ]


def test_grey_images_get_the_channels_of_the_statistics():
    grey = torch.randint(256, (2, 1, 4, 4), dtype=torch.uint8)
    mean, std = (0.1, 0.2, 0.3), (0.5, 1.0, 2.0)
    found = Front(nn.Sequential(), mean, std)(grey)
    assert torch.equal(found, Front(nn.Sequential(), mean, std)(grey.expand(-1, 3, -1, -1)))
    assert found.is_contiguous(memory_format=torch.channels_last)
