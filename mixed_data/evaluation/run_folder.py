"""The files of a run's folder, by name: the only place that spells them."""

from __future__ import annotations

import os
from pathlib import Path


class RunFolder:
    """Names what `train` and `compare` write; nothing of it need be there.

    Args:
        path: of the folder.

    Attributes:
        config: how the run was started: command, options, roles of the columns, versions, digests of the data.
        held_out: the held-out rows as they were read; of `compare`, all rows.
        predictions: one line per held-out row; of `compare`, per model, repeat and row.
        comparison: scores of every model.
        findings: what the audit says, one line per class of problem.
        weights: model -> branch -> mean and standard deviation of the learned weight over all fits.
        report: the page, which is written last.
        metrics: scores of the main model.
        model_predictions: `train`: one column per model, for the same rows.
        missing: scores of the main model with photos or columns hidden.
        importance: `train`: by how much the main model's errors grow when a column or a photo is shuffled.
        bundle: `train`: the fitted main model.
        manifest: of the bundle.
        verdict: `compare`: the answers; see `mixed_data.evaluation.verdict.Entry`.
        ablation: `compare`: what the main network loses without each of its parts.
        checkpoints: finished fits, until the run is finished.
        lock: held by the process that writes the folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.held_out = self.path / "held_out.csv"
        self.predictions = self.path / "predictions.csv"
        self.comparison = self.path / "comparison.json"
        self.findings = self.path / "findings.json"
        self.weights = self.path / "weights.json"
        self.report = self.path / "report.html"
        self.metrics = self.path / "metrics.json"
        self.model_predictions = self.path / "model_predictions.csv"
        self.missing = self.path / "missing.json"
        self.importance = self.path / "importance.json"
        self.bundle = self.path / "bundle"
        self.manifest = self.bundle / "manifest.json"
        self.verdict = self.path / "verdict.json"
        self.ablation = self.path / "ablation.json"
        self.checkpoints = self.path / "checkpoints"
        self.lock = self.checkpoints / "lock"
