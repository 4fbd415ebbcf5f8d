import torch

import taxo

text = """
method fair "Learn on held-out data how much each class's logits are moved."
needs validation
param tau per category = 1
perturb logits by tau[y] * log(class_prior) {
  direction   mixed
  granularity category
}
infer meta over tau minimize loss on validation via lookahead(lr: lr, optimizer: adam(0.001))
"""
step = taxo.compile(taxo.parse(text), torch.nn.Linear(4, 3), classes=3, class_counts=[5, 3, 2])
