"""Run AutoGluon on the splits of make_folds.py, in an environment of its own (see the Makefile).

    python run_autogluon.py --data DIR --out predictions.csv --mode tab --repeats 10

Modes: ``tab`` (TabularPredictor as it comes), ``tab best`` (its preset best_quality, at most two minutes per fold),
``tab+vectors`` (``tab`` with principal components of this project's MobileNetV2 vectors as further columns),
``multimodal tab`` and ``multimodal tab+pics`` (MultiModalPredictor, image encoder trained from scratch). One
hand-picked setting each, not tuned.
"""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from harness import NUMBERS, PHOTOS, Peer, reduce_vectors
from torchvision_operators import declare_missing_operators

declare_missing_operators()

import timm  # noqa: E402
from autogluon.multimodal import MultiModalPredictor  # noqa: E402
from autogluon.tabular import TabularPredictor  # noqa: E402

TABLE = [*NUMBERS, "zipcode"]
ENCODER = "mobilenetv3_small_050"
NUM_EPOCHS = {"multimodal tab": 30, "multimodal tab+pics": 15}
# Bags of 8 folds, one after the other; without stacking, which its own check ("dynamic stacking") would have to allow.
BEST = {
    "presets": "best_quality",
    "time_limit": 120,
    "num_stack_levels": 0,
    "dynamic_stacking": False,
    "ag_args_ensemble": {"fold_fitting_strategy": "sequential_local"},
}


def fit_tabular(training: pd.DataFrame, held_out: pd.DataFrame, seed: int, **settings: object) -> np.ndarray:
    """Predict the held-out prices with the ensemble that AutoGluon makes; it has its own, fixed seeds."""
    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor("log_price", problem_type="regression", path=folder, verbosity=0)
        columns = training.drop(columns=["house", "price", *PHOTOS])
        predictor.fit(columns.assign(log_price=np.log(training["price"])), num_cpus=1, num_gpus=0, **settings)
        return np.exp(predictor.predict(held_out[columns.columns], as_pandas=False))


def fit_table_and_vectors(training: pd.DataFrame, held_out: pd.DataFrame, seed: int) -> np.ndarray:
    """Predict the held-out prices from the columns and the photos' vectors."""
    training, held_out, _ = reduce_vectors(training, held_out)
    return fit_tabular(training, held_out, seed)


def fit_multimodal(training: pd.DataFrame, held_out: pd.DataFrame, seed: int, *, mode: str) -> np.ndarray:
    """Predict the held-out prices from the columns, and the photos if the mode says so."""
    columns = TABLE + (PHOTOS if mode.endswith("pics") else [])
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "predictor")
        predictor = MultiModalPredictor("log_price", problem_type="regression", path=path, verbosity=0)
        predictor.fit(
            training[columns].assign(log_price=np.log(training["price"])),
            column_types={"zipcode": "categorical"} | {name: "image_path" for name in columns if name in PHOTOS},
            hyperparameters=_multimodal_settings(mode, Path(folder)),
            seed=seed,
        )
        return np.exp(predictor.predict(held_out[columns], as_pandas=False))


def _multimodal_settings(mode: str, folder: Path) -> dict[str, object]:
    settings = {
        "model.names": ["ft_transformer"],
        # The default, 100, removes the zipcode without a word: no zipcode has so many houses.
        "data.categorical.minimum_cat_count": 1,
        "data.categorical.maximum_num_cat": 100,
        "optim.lr": 1e-3,
        "optim.max_epochs": NUM_EPOCHS[mode],
        "env.num_gpus": 0,
        "env.num_workers": 0,
        "env.num_workers_inference": 0,
        "env.per_gpu_batch_size": 32,
        "env.batch_size": 32,
        "env.precision": 32,
    }
    if not mode.endswith("pics"):
        return settings
    return settings | {
        "model.names": ["ft_transformer", "timm_image", "fusion_mlp"],
        "model.timm_image.checkpoint_name": str(_write_untrained_encoder(folder / "encoder")),
        "model.timm_image.image_size": 96,
        "model.timm_image.train_transforms": ["resize_shorter_side", "center_crop", "random_horizontal_flip"],
    }


def _write_untrained_encoder(folder: Path) -> Path:
    """Write a checkpoint with random weights; ``pretrained=False`` does not keep ``fit`` from downloading in 1.6.3."""
    model = timm.create_model(ENCODER, pretrained=False, num_classes=0)
    folder.mkdir()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    config = {"architecture": ENCODER, "num_features": model.num_features, "pretrained_cfg": model.default_cfg}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def main() -> None:
    """Run what the command line asks for."""
    torch.set_num_threads(1)
    modes = {
        "tab": fit_tabular,
        "tab+vectors": fit_table_and_vectors,
        "tab best": functools.partial(fit_tabular, **BEST),
    }
    modes |= {mode: functools.partial(fit_multimodal, mode=mode) for mode in NUM_EPOCHS}
    Peer("AutoGluon", modes).main(__doc__)


if __name__ == "__main__":
    main()
