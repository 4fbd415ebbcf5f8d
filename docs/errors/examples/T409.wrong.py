import torch

import taxo

text = """
method unsure "Add the logarithm of how far each class is above a half."
perturb logits by 0.1 * log(p - 0.5) {
  direction   mixed
  infer       prior
  granularity sample
}
"""
step = taxo.compile(taxo.parse(text), torch.nn.Linear(4, 3), classes=3)
step(torch.rand(8, 4), torch.zeros(8, dtype=torch.long))
