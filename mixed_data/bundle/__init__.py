"""The folder that holds a fitted regressor: its format, digests and golden rows."""

from mixed_data.bundle.bundle_folder import Backbones, Bundled, load_bundle, save_bundle
from mixed_data.bundle.bundle_manifest import BundleError

__all__ = ["Backbones", "BundleError", "Bundled", "load_bundle", "save_bundle"]
