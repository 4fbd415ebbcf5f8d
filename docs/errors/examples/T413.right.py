import torch

import taxo

text = """
method meeting "Add what two layers have in common."
perturb logits by 0.1 * sum(h("first")) * sum(h("second")) {
  direction   mixed
  infer       prior
  granularity sample
}
"""
layers = {"first": torch.nn.Linear(4, 6), "second": torch.nn.Linear(6, 5), "last": torch.nn.Linear(5, 3)}
model = torch.nn.Sequential()
for name, layer in layers.items():
    model.add_module(name, layer)
step = taxo.compile(taxo.parse(text), model, classes=3)
step(torch.rand(8, 4), torch.zeros(8, dtype=torch.long))
