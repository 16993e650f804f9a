"""One stage: the way down to an eighth and up again."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from rasd_fusion.models import RASDConfig
from rasd_fusion.models.multiscale import MultiScaleRASD, shuffled


def stage() -> MultiScaleRASD:
    torch.manual_seed(2)
    return MultiScaleRASD(RASDConfig(6, 2, channels=8, stages=1)).double().eval()


def test_shuffle_is_torchs_with_the_channels_outermost():
    blocks = torch.randn(2, 3, 4, 8, 8, 5)
    outermost = blocks.permute(0, 5, 3, 4, 1, 2).reshape(2, 5 * 64, 3, 4)
    expected = F.pixel_shuffle(outermost, 8).permute(0, 2, 3, 1)
    assert torch.equal(shuffled(blocks.flatten(3)), expected)


def test_is_the_papers_stage():
    part, features = stage(), torch.randn(2, 16, 24, 8, dtype=torch.float64)
    with torch.no_grad():
        out, fine, coarse = part(features, 0.5)
        a, m_a = part.fine(features, 0.5)
        down = F.conv2d(a.permute(0, 3, 1, 2), part.down[0].weight, stride=4, padding=2)
        down = F.conv2d(down, part.down[1].weight, stride=2, padding=1)
        d, m_d = part.coarse(down.permute(0, 2, 3, 1), 0.5)
        expected = part.join(torch.cat((a, shuffled(part.up(d))), -1))
    torch.testing.assert_close(out, expected)
    assert torch.equal(fine, m_a) and torch.allclose(coarse, m_d)
    assert (fine.shape, coarse.shape) == ((2, 16, 24), (2, 2, 3))


def test_a_coarse_point_sees_its_own_block():
    """As published the window of 18 stands one pixel before its block's middle, but covers it."""
    part, features = stage(), torch.zeros(1, 8, 40, 40, dtype=torch.float64, requires_grad=True)
    part.down(features)[0, :, 2, 2].sum().backward()
    seen = features.grad[0].abs().sum(0).nonzero()
    assert seen.min(0).values.tolist() == [10, 10] and seen.max(0).values.tolist() == [27, 27]
