"""Loggers: TensorBoard, Trackio, Weights & Biases and MLflow."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_loggers() -> dict[str, str]:
    """Offer loggers."""
    return {
        "tensorboard": "ganblocks_loggers.tensorboard:TensorBoard",
        "trackio": "ganblocks_loggers.trackio:Trackio",
        "wandb": "ganblocks_loggers.wandb:WeightsAndBiases",
        "mlflow": "ganblocks_loggers.mlflow:MLflow",
    }
