import torch

import taxo

text = """
method noisy "Train on images moved along the sign of the slope that raises the loss most."
perturb features by d {
  direction   negative
  infer       adversarial maximize loss within linf(8/255), box via linearized
  granularity sample
}
"""
step = taxo.compile(taxo.parse(text), torch.nn.Linear(4, 3), classes=3)
