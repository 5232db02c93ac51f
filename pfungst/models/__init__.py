"""Adapters: the only files that import torch, onnxruntime and their like."""
