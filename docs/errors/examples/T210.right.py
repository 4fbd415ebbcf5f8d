import torch

import taxo

text = """
method fair "Move the logits of rare classes down."
param tau = 1 in [0.1, 3]
perturb logits by tau * log(class_prior) {
  direction   mixed
  infer       tuning
  granularity corpus
}
"""
step = taxo.compile(taxo.parse(text), torch.nn.Linear(4, 3), classes=3, class_counts=[5, 3, 2])
