"""A method that uses a word of your own, without installing anything.

The word's row and its function are in `taxo_softplus/`; `pyproject.toml` beside it makes the same a plug-in.
"""

import torch
from taxo_softplus import SOFTPLUS

import taxo
from taxo import plugins

plugins.register(SOFTPLUS)
method = (
    taxo.method("soft_margin", summary="Ask for a margin, softly.", null={"lam": 0})
    .param("lam", 0.1, low=0, high=1)
    .perturb(
        "loss", by="lam * softplus(1 - margin)", direction="negative", infer="prior", granularity="sample"
    )
)

torch.manual_seed(0)
model = torch.nn.Linear(20, 3)
step = taxo.compile(method, model, classes=3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
x = torch.randn(300, 20)
y = (x[:, :3]).argmax(1)
for _ in range(100):
    loss = step(x, y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
print(f"training accuracy {(step.predict(x).argmax(1) == y).float().mean():.0%}")
