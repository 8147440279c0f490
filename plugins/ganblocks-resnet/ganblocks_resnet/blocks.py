"""Residual blocks. Convolutions are 3×3 with padding 1 and shortcuts 1×1, all with biases.

A 1×1 convolution commutes with both resamplings, so it is applied where the feature map is small: before an upsampling and
after a downsampling.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import relu

from ganblocks import Attention, Norm, Site
from ganblocks_resnet.layout import Stage
from ganblocks_resnet.resampling import Upsampling, downsample, then_downsample, upsample, upsample_then


class UpBlock(nn.Module):
    """The generator's block, which doubles the size.

    h = conv1(upsample(relu(norm1(x)))), y = conv2(relu(norm2(h))) + upsample(shortcut(x)), then attention if there is one.

    Source: Miyato and Koyama (2018), arXiv:1802.05637, figure 14b; SAGAN's code.
    """

    def __init__(
        self, site: Site, stage: Stage, norm: Norm, attention: Attention | None, upsampling: Upsampling = "nearest"
    ) -> None:
        super().__init__()
        self.upsampling: Upsampling = upsampling
        self.norm1 = site.at("norm1", channels=stage.in_channels, size=stage.in_size).build(norm)
        self.conv1 = conv(site, "conv1", stage.in_channels, stage.out_channels)
        self.norm2 = site.at("norm2", channels=stage.out_channels, size=stage.out_size).build(norm)
        self.conv2 = conv(site, "conv2", stage.out_channels, stage.out_channels)
        self.shortcut = conv(site, "shortcut", stage.in_channels, stage.out_channels, kernel=1)
        self.attention = _attention(site, stage, attention)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Map x [B, in, H, W] to [B, out, 2H, 2W]; the norms read the condition, int64 [B] or float [B, width]."""
        h = upsample_then(self.conv1, relu(self.norm1(x, condition)), self.upsampling)
        h = self.conv2(relu(self.norm2(h, condition)))
        y: Tensor = self.attention(h + upsample(self.shortcut(x), self.upsampling))
        return y


class FirstBlock(nn.Module):
    """The discriminator's first block, which halves the size.

    y = downsample(conv2(relu(conv1(x)))) + shortcut(downsample(x)): no activation or norm is applied to the raw image.

    Source: Miyato and Koyama (2018), arXiv:1802.05637, the "optimized block" of their code and SAGAN's.
    """

    def __init__(self, site: Site, stage: Stage, attention: Attention | None) -> None:
        super().__init__()
        self.conv1 = conv(site, "conv1", stage.in_channels, stage.out_channels)
        self.conv2 = conv(site, "conv2", stage.out_channels, stage.out_channels)
        self.shortcut = conv(site, "shortcut", stage.in_channels, stage.out_channels, kernel=1)
        self.attention = _attention(site, stage, attention)

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        """Map images [B, C, H, W] to [B, out, H/2, W/2]; the labels are not used."""
        h = then_downsample(self.conv2, relu(self.conv1(x)))
        y: Tensor = self.attention(h + self.shortcut(downsample(x)))
        return y


class DownBlock(nn.Module):
    """The discriminator's other blocks, which halve the size or keep it.

    y = downsample(conv2(relu(norm2(conv1(relu(norm1(x))))))) + shortcut(downsample(x)). The shortcut of a block that changes
    neither size nor channels is the identity. With ``activated`` the shortcut starts from relu(norm1(x)), as conv1 does.

    Source: Miyato and Koyama (2018), arXiv:1802.05637, figure 14a; with norms, Gulrajani et al. (2017), arXiv:1704.00028.
    """

    def __init__(
        self, site: Site, stage: Stage, hidden: int, norm: Norm, attention: Attention | None, activated: bool = False
    ) -> None:
        super().__init__()
        self.activated = activated
        self.halves = stage.out_size != stage.in_size
        self.norm1 = site.at("norm1", channels=stage.in_channels, size=stage.in_size).build(norm)
        self.conv1 = conv(site, "conv1", stage.in_channels, hidden)
        self.norm2 = site.at("norm2", channels=hidden, size=stage.in_size).build(norm)
        self.conv2 = conv(site, "conv2", hidden, stage.out_channels)
        plain = not self.halves and stage.in_channels == stage.out_channels
        self.shortcut = nn.Identity() if plain else conv(site, "shortcut", stage.in_channels, stage.out_channels, kernel=1)
        self.attention = _attention(site, stage, attention)

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        """Map x [B, in, H, W] and labels int64 [B] to [B, out, H/2, W/2], or to [B, out, H, W] if the size is kept."""
        h = relu(self.norm1(x, label))  # not in place: x may be what the norm returns, and the shortcut needs it
        x = h if self.activated else x
        h = self.conv1(h)
        h = relu(self.norm2(h, label))
        h = then_downsample(self.conv2, h) if self.halves else self.conv2(h)
        y: Tensor = self.attention(h + self.shortcut(downsample(x) if self.halves else x))
        return y


def conv(site: Site, name: str, in_channels: int, out_channels: int, kernel: int = 3) -> nn.Module:
    """Build a convolution that keeps the size, with a bias."""
    return site.layer(nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2), name)


def _attention(site: Site, stage: Stage, attention: Attention | None) -> nn.Module:
    """Build the attention over a block's output; without one, an identity that adds nothing to the state."""
    if attention is None:
        return nn.Identity()
    return site.at("attention", channels=stage.out_channels, size=stage.out_size).build(attention)
