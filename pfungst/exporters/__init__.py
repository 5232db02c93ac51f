"""Exporters: what other tools are told of an audit, one file a tool; other packages add theirs."""

import pfungst.exporters.mlflow
import pfungst.exporters.model_card
import pfungst.exporters.wandb  # noqa: F401 - fill the registry
