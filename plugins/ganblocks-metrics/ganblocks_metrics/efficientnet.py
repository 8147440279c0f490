"""EfficientNet-Lite0: inverted residual blocks with ReLU6 and without squeeze and excitation."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
"""(expansion, kernel, stride, channels, blocks) of each stage: Tan and Le 2019, arXiv:1905.11946, table 1; Lite0 has no SE."""
STEM, HEAD, CLASSES = 32, 1280, 1000
EPS = 1e-3


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding: for stride 2 there is more on the right and below."""

    def forward(self, input: Tensor) -> Tensor:
        """Return [B, O, ⌈H / stride⌉, ⌈W / stride⌉] of [B, I, H, W]."""
        left, right = _padding(input.shape[3], self.kernel_size[0], self.stride[0])
        above, below = _padding(input.shape[2], self.kernel_size[0], self.stride[0])
        padding = (above, left)
        if padding != (below, right):  # a convolution pads both sides alike
            input, padding = pad(input, [left, right, above, below]), (0, 0)
        return conv2d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


def _padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _layer(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True) -> nn.Sequential:
    conv = SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs, eps=EPS), *([nn.ReLU6(inplace=True)] if act else []))


class InvertedResidual(nn.Module):
    """1×1 expansion, k×k depthwise, 1×1 projection; plus the input where shapes agree."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.layers = nn.Sequential(
            *([_layer(inputs, wide, 1)] if expansion > 1 else []),
            _layer(wide, wide, kernel, stride, groups=wide),
            _layer(wide, outputs, 1, act=False),
        )
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, O, H / stride, W / stride] of [B, I, H, W]."""
        y: Tensor = self.layers(x)
        return x + y if self.shortcut else y


class EfficientNetLite0(nn.Module):
    """forward(x [B, 3, H, W], (pixel - 127) / 128) -> (features [B, 1280], logits [B, 1000])."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _layer(3, STEM, 3, stride=2)
        blocks, inputs = [], STEM
        for expansion, kernel, stride, channels, count in STAGES:
            for i in range(count):
                blocks.append(InvertedResidual(inputs, channels, expansion, kernel, stride if i == 0 else 1))
                inputs = channels
        self.blocks = nn.Sequential(*blocks)
        self.head = _layer(inputs, HEAD, 1)
        self.classifier = nn.Linear(HEAD, CLASSES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pooled features [B, 1280] and the logits [B, 1000] of x [B, 3, H, W]."""
        features = self.head(self.blocks(self.stem(x))).mean((2, 3))
        return features, self.classifier(features)

    def load_in_order(self, weights: dict[str, Tensor]) -> None:
        """Load tensors of any shape by order, because the published file has other names. Raise ValueError."""
        own = {name: value for name, value in self.state_dict().items() if not name.endswith("num_batches_tracked")}
        values = [value for name, value in weights.items() if not name.endswith("num_batches_tracked")]
        if [value.shape for value in own.values()] != [value.shape for value in values]:
            raise ValueError("these weights are not those of an EfficientNet-Lite0")
        self.load_state_dict(dict(zip(own, values, strict=True)), strict=False)
