"""Branches: one network per modality, each ending in one vector per row and member.

The columns are read by `mlp`. To add an image branch, write a file with a function of the same signature as `cnn`, and
a line in ``IMAGE_BRANCHES``; the contract test in ``tests/network/test_branches.py`` runs over that registry.
"""

from mixed_data.network.cnn_branch import cnn
from mixed_data.network.mlp_branch import mlp
from mixed_data.network.modality_dropout import ModalityDropout
from mixed_data.network.pretrained_branch import PrincipalComponents, patches, pretrained
from mixed_data.network.view_layers import MaskedMean, OrMissing, ViewEmbedding

IMAGE_BRANCHES = {"cnn": cnn, "patches": patches, "pretrained": pretrained}
"""Name -> function of photos and their mask that returns one vector per row and member."""

__all__ = [
    "IMAGE_BRANCHES",
    "MaskedMean",
    "ModalityDropout",
    "OrMissing",
    "PrincipalComponents",
    "ViewEmbedding",
    "cnn",
    "mlp",
    "patches",
    "pretrained",
]
