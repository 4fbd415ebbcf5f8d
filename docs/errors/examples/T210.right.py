import torch

import taxo

text = """
method warm "Soften the labels by what the model itself predicts, warmed up."
param lam = 0.3 in [0, 1]
perturb labels by lam * (softmax(stop(u) / 4) - y) {
  direction   mixed
  infer       prior
  granularity sample
}
"""
step = taxo.compile(taxo.parse(text), torch.nn.Linear(4, 3), classes=3)
