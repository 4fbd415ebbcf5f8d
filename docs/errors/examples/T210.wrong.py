import torch

import taxo

text = """
method bent "Train on images bent along a motion that is kept for each of them."
perturb features by warp(x, m) - x {
  direction   negative
  infer       regularization maximize loss - l2(m) within smooth_flow(gamma: 10, size: 1) via joint(lr: 1)
  granularity sample
}
"""
step = taxo.compile(taxo.parse(text), torch.nn.Linear(4, 3), classes=3)
