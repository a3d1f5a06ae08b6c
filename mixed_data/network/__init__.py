"""Branches: one network per modality, each ending in one vector per row and member.

To add one, write a file with a function of the same signature, and a line here; the contract test in
``tests/test_branches.py`` runs over these registries.
"""

from mixed_data.network.cnn_branch import cnn
from mixed_data.network.mlp_branch import mlp
from mixed_data.network.pretrained_branch import PrincipalComponents, pretrained
from mixed_data.network.view_layers import MaskedMean, ModalityDropout, OrMissing, ViewEmbedding

TABULAR_BRANCHES = {"mlp": mlp}
IMAGE_BRANCHES = {"cnn": cnn, "pretrained": pretrained}

__all__ = [
    "IMAGE_BRANCHES",
    "TABULAR_BRANCHES",
    "MaskedMean",
    "ModalityDropout",
    "OrMissing",
    "PrincipalComponents",
    "ViewEmbedding",
    "cnn",
    "mlp",
    "pretrained",
]
