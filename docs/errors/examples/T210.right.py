import torch

import taxo

text = """
method bent "Train on images bent along the smooth motion that raises the loss most."
perturb features by warp(x, m) - x {
  direction   negative
  infer       adversarial maximize loss within smooth_flow(gamma: 10, size: 1) via linearized
  granularity sample
}
"""
step = taxo.compile(taxo.parse(text), torch.nn.Linear(4, 3), classes=3)
